#!/bin/busybox sh
# The first process of a guest: makes a Linux of it, runs /guest/script, switches the machine off.
#
# It runs twice. The kernel starts it in the initramfs, a root that cannot be pivoted away from, as a
# container runtime must; so it moves to a tmpfs and runs again there.

export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/

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

mkdir -p /proc /sys /dev /run /tmp /etc /root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mount -t tracefs trace /sys/kernel/tracing
mount -t securityfs security /sys/kernel/security
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup /sys/fs/cgroup
ip link set lo up

echo "@tidewaiter start $(uname -r)"
sh /guest/script
echo "@tidewaiter end $?"
sync
poweroff -f
