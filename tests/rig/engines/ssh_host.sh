#!/bin/sh
# The first process of a host with sshd: makes its root and starts sshd in it.
#
#   ssh_host.sh ROOTS FOLDER SOCKET
#
# ROOTS are seen through an overlay, the first on top, so that nothing is ever written into them. The machine's network
# is the host's, and the engine's SOCKET is where docker and Podman have theirs.
set -eu
new=$2/root
mkdir -p "$new"
mount -t tmpfs tmpfs "$new"
mkdir "$new/upper" "$new/work" "$new/merged"
mount -t overlay -o "lowerdir=$1,upperdir=$new/upper,workdir=$new/work" overlay "$new/merged"
cd "$new/merged"
mount -t proc proc proc
mount --rbind /sys sys
# Podman's client refuses the mixed layout of cgroups.
umount -R sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --rbind /dev dev
# Podman's client looks whether it could have a storage of its own, which cannot lie on an overlay.
mkdir -p var/lib/containers
for folder in run tmp var/lib/containers; do
    mount -t tmpfs tmpfs "$folder"
done
chmod 1777 tmp
mkdir -p run/sshd run/podman host
mount --bind "$2" host
for place in run/docker.sock run/podman/podman.sock; do
    touch "$place"
    mount --bind "$3" "$place"
done
cp "$2/passwd" "$2/group" "$2/shadow" "$2/machine-id" etc/
pivot_root . mnt
cd /
umount -l /mnt
exec /usr/sbin/sshd -D -e -f /host/sshd_config
