#!/bin/busybox sh
# The first process of a guest that runs systemd: finds the disk with a Debian on it, lays the script beside it and
# becomes that Debian's init.

export PATH=/bin
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /system
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do
    insmod "/guest/module/$module.ko" || echo "module $module does not load"
done < /guest/modules
mount -t ext4 /dev/vda /system
cp -a /guest /system/guest
echo guest > /system/etc/hostname
printf '127.0.0.1 localhost guest\n' > /system/etc/hosts
cat > /system/etc/systemd/system/script.service <<'UNIT'
[Unit]
Description=What this guest is for
After=rsyslog.service

[Service]
Type=oneshot
ExecStart=/bin/sh /guest/run
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
TimeoutStartSec=infinity
UNIT
cat > /system/guest/run <<'RUN'
mark="tidewaiter's script starts"
echo "$mark" > /dev/kmsg
echo "@tidewaiter start $(uname -r)"
sh /guest/script
status=$?
dmesg | sed "1,/$mark/d" | tail -n 200 | sed 's/^/@tidewaiter kernel /'
echo "@tidewaiter end $status"
sync
systemctl poweroff --force --force
RUN
mkdir -p /system/etc/systemd/system/multi-user.target.wants
ln -s ../script.service /system/etc/systemd/system/multi-user.target.wants/
umount /proc /sys
# Nobody logs in, and the network is loopback alone.
exec switch_root /system /sbin/init systemd.show_status=false systemd.mask=getty.target
