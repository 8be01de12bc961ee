#!/bin/sh
# The first process of a machine's namespaces: makes its root, and becomes systemd.
#
#   boot.sh ROOT RUN_DIRECTORY PACKAGES CHECKOUT ENGINE
#
# The root is seen through an overlay, so that nothing is ever written into it. PACKAGES and CHECKOUT are below
# /opt/dockersweep in there, and ENGINE, the folder of an engine, at /run/engine and, as its data are, at its own place.
set -eu
root=$1 run=$2 packages=$3 checkout=$4 engine=$5

# /proc is still the one of the machine that tests, so this is our process id as that sees it.
read -r pid rest </proc/self/stat
echo "$pid" >"$run/pid.new"
mv "$run/pid.new" "$run/pid"

new=$run/root
mkdir -p "$new"
mount -t tmpfs tmpfs "$new"
mkdir "$new/upper" "$new/work" "$new/merged"
mount -t overlay -o "lowerdir=$root,upperdir=$new/upper,workdir=$new/work" overlay "$new/merged"
cd "$new/merged"

# Whatever is not only ours can be looked at and not changed, as in a container; systemd then leaves it alone.
mount -t proc proc proc
for path in proc/sys proc/sysrq-trigger; do
    # Not every kernel has the latter.
    [ ! -e "$path" ] || mount --bind -o ro "$path" "$path"
done
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
ln -s /proc/self/fd dev/fd
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
for folder in dev/shm run tmp; do
    mount -t tmpfs tmpfs "$folder"
done

mkdir -p opt/dockersweep/packages opt/dockersweep/checkout run/engine ".$engine"
mount --bind -o ro "$packages" opt/dockersweep/packages
mount --bind -o ro "$checkout" opt/dockersweep/checkout
mount --bind "$engine" run/engine
mount --bind "$engine" ".$engine"

# It is not the first start, on which everything would be set up anew, and nothing starts but what a test starts.
echo machine >etc/hostname
tr -d - </proc/sys/kernel/random/uuid >etc/machine-id
touch etc/.updated var/.updated
rm -f etc/systemd/system/timers.target.wants/*
pivot_root . mnt
cd /
umount -l /mnt
busybox ifconfig lo 127.0.0.1 up
exec setpriv --bounding-set=-sys_time,-sys_module,-sys_rawio,-sys_boot,-syslog,-audit_control,-audit_read \
    env -i container=dockersweep-tests PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /usr/lib/systemd/systemd --unit=basic.target
