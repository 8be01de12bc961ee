#!/bin/sh
# The first process of an engine's namespaces: makes their root, starts the engine in it, and reaps.
#
#   inside.sh ROOT RUN_DIRECTORY COMMAND...
#
# The root is seen through an overlay, so that nothing is ever written into it.
set -eu
root=$1 run=$2
shift 2

# /proc is still the one of the machine, so this is our process id as the machine sees it.
read -r pid rest </proc/self/stat
echo "$pid" >"$run/pid.new"
mv "$run/pid.new" "$run/pid"

new=$run/root
mkdir -p "$new"
mount -t tmpfs tmpfs "$new"
mkdir "$new/upper" "$new/work" "$new/merged"
mount -t overlay -o "lowerdir=$root,upperdir=$new/upper,workdir=$new/work" overlay "$new/merged"
cd "$new/merged"
if [ -n "${WITHOUT_PACKAGES:-}" ]; then
    # With each answer to /info Podman asks eight times of which packages the programs are that it starts.
    rm -f usr/bin/dpkg-query
fi
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
# Podman 6 mounts an overlay of its own below /var/tmp for a build, which cannot lie on an overlay.
for folder in dev/shm run tmp var/tmp; do
    mount -t tmpfs tmpfs "$folder"
done
mkdir -p ".$run"
mount --bind "$run" ".$run"
# Small disks of its own; see disks.py. Where nothing is shared, as it is with systemd, dockerd mounts its folder over
# itself, and would hide them.
mounts=$(cat /proc/self/mountinfo)
while read -r _ _ _ _ place _; do
    case $place in
    "$new" | "$new"/*) ;;
    "$run"/*)
        mount --bind "$place" ".$place"
        mount --make-shared ".$run"
        mount --make-shared ".$place"
        ;;
    esac
done <<MOUNTS
$mounts
MOUNTS
if [ -n "${SYSTEM_CONTAINERD:-}" ]; then
    mkdir -p ".$SYSTEM_CONTAINERD"
    mount --bind "$SYSTEM_CONTAINERD" ".$SYSTEM_CONTAINERD"
fi
# Docker 20.10 keeps there by what it is known, and is another engine without it.
mkdir -p "$run/configuration" etc/docker
mount --bind "$run/configuration" etc/docker
pivot_root . mnt
cd /
umount -l /mnt
busybox hostname "${run##*/}"
busybox ifconfig lo 127.0.0.1 up

if [ -n "${OWN_CGROUP:-}" ]; then
    # crun refuses the mixed layout of cgroups; in a cgroup namespace this mount shows our own branch only.
    umount -R /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi

containerd=
if [ -n "${SYSTEM_CONTAINERD:-}" ]; then
    # A service as Debian has it, but for what only a kubelet asks for.
    echo 'disabled_plugins = ["io.containerd.grpc.v1.cri"]' >/run/containerd.toml
    if [ -f "$run/containerd.toml" ]; then
        cat "$run/containerd.toml" >>/run/containerd.toml
    fi
    containerd --config /run/containerd.toml &
    containerd=$!
    while [ ! -S /run/containerd/containerd.sock ] && kill -0 $containerd; do
        busybox sleep 0.05
    done
fi

status=0
"$@" &
engine=$!
trap 'kill -TERM $engine' TERM
# A signal interrupts wait, so it takes several.
while kill -0 $engine 2>/dev/null; do
    status=0
    wait $engine || status=$?
done
if [ -n "$containerd" ]; then
    kill -TERM $containerd
    wait $containerd || :
fi
exit $status
