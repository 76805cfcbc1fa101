#!/bin/busybox sh
# The first process of a guest: makes a Linux of it, runs /guest/script, switches the machine off.
#
# It runs twice. The kernel starts it in the initramfs, a root that cannot be pivoted away from, as a
# container runtime must; so it moves to a tmpfs and runs again there.

export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root

if [ "$1" != again ]; then
    /bin/busybox --install -s /bin
    mkdir /new
    mount -t tmpfs -o size=75%,mode=755 root /new
    cp -a /bin /container /guest /init /usr /new/
    for directory in /lib /lib64; do
        [ -e $directory ] && cp -a $directory /new/
    done
    exec switch_root /new /init again
fi

mkdir -p /proc /sys /dev /run /tmp /etc /root /disk /var/tmp
chmod 1777 /tmp /var/tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mount -t debugfs debug /sys/kernel/debug
mount -t tracefs trace /sys/kernel/tracing
mount -t securityfs security /sys/kernel/security
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup /sys/fs/cgroup

# What devtmpfs leaves to udev, and the least that programs look up.
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
echo root:x:0:0:root:/root:/bin/sh > /etc/passwd
echo root:x:0: > /etc/group
printf '127.0.0.1 localhost\n::1 localhost\n' > /etc/hosts

while read -r module; do
    insmod "/guest/module/$module.ko" || echo "module $module does not load"
done < /guest/modules
mount -t ext4 /dev/vda /disk
# ::1 comes with it.
ip link set lo up
hostname guest
# Where the tests look for the agent.
export TIDEWAITER_BIN=/usr/bin/tidewaiter

mark="tidewaiter's script starts"
echo "$mark" > /dev/kmsg
echo "@tidewaiter start $(uname -r)"
sh /guest/script
status=$?
dmesg | sed "1,/$mark/d" | tail -n 200 | sed 's/^/@tidewaiter kernel /'
echo "@tidewaiter end $status"
sync
poweroff -f
