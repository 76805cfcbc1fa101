
# The image with all privileges, as Docker's `--privileged` and the overlay `privileged` of the manifests have it: every
# capability, the host's devices, no filter of system calls. By runc; a neighbour of runc's downloads.

mkdir -p /run/image/root /run/image/neighbour /run/image/lower /run/runc
layer=$(tar -xOf /guest/image.tar manifest.json | grep -o '"Layers":\["[^"]*' | cut -d '"' -f 4)
tar -xOf /guest/image.tar "$layer" | tar -x -C /run/image/root || fail "the image unpacks"
mount --bind / /run/image/lower

# bundle FOLDER ROOT ARGUMENTS CAPABILITIES MOUNTS: a configuration for runc.
bundle() {
    cat > "/run/image/$1/config.json" << CONFIG
{
    "ociVersion": "1.0.2",
    "process": {
        "user": {"uid": 0, "gid": 0}, "args": [$3], "env": ["PATH=/usr/bin"], "cwd": "/",
        "capabilities": {"bounding": [$4], "effective": [$4], "permitted": [$4]}
    },
    "root": {"path": "$2", "readonly": true},
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}, {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}$5],
    "linux": {"cgroupsPath": "/$1", "namespaces": [{"type": "mount"}, {"type": "ipc"}, {"type": "uts"}]}
}
CONFIG
}

bind() { echo ", {\"destination\": \"$1\", \"type\": \"bind\", \"source\": \"$1\", \"options\": [\"rbind\"]}"; }
memory() { echo ", {\"destination\": \"$1\", \"type\": \"tmpfs\", \"source\": \"tmpfs\"}"; }
every() {
    # Names in the order of their numbers, up to the kernel's last one (capabilities(7)).
    set -- CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE \
        NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN \
        SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE \
        MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
    printf '"CAP_%s",' "$@" | sed 's/,$//'
}

privileged=/run/image/out
mkdir -p /run/image/privileged
bundle privileged /run/image/root '"/usr/bin/tidewaiter", "run", "--no-config", "--format", "json"' "$(every)" \
    "$(bind /sys)$(bind /dev)$(memory /run)$(bind /run/runc)$(memory /var/lib/tidewaiter)"
bundle neighbour /run/image/lower "\"curl\", \"-s\", \"-o\", \"/tmp/neighbour\", \"$url\"" '' ''
runc run --bundle /run/image/privileged privileged > $privileged 2> $privileged.log &
agent=$!
observing() { grep -q '"kind":"coverage"' $privileged; }
named() { grep '"kind":"alert"' $privileged | grep '"/tmp/neighbour"' | grep -q '"id":"neighbour"'; }
give_up() {
    cat $privileged.log
    tail -c 2000 $privileged
    echo "@tidewaiter fail $1"
    exit 1
}
await 180 observing || give_up "the image with all privileges starts"
runc run --bundle /run/image/neighbour neighbour || give_up "the neighbour runs"
await 60 named || give_up "the image with all privileges names a neighbour"
runc kill privileged TERM
wait $agent || give_up "the image with all privileges ends well"
pass "the image with all privileges names a neighbour, and ends well"
