#!/usr/bin/env bash
# A disk that is mounted at the folder of Podman's layers is unmounted by Podman itself when a command ends: the image
# that it has just imported can no longer run, and new layers land on the disk below. A disk for all of
# /var/lib/containers/storage stays.
#
# Podman 5.8.6 (Debian forky), overlay, as root; with Podman 6.1.1 and `system service` it goes when the first container
# ends. containers/storage mounts the folder over itself where nothing is mounted there, and unmounts what is there when
# it shuts down (drivers/overlay, Cleanup).
# Needs root, mmdebstrap and 1 GB in TMPDIR.
#
# | at first: the disk is mounted
# | after an import: the disk is not mounted
# | podman images: localhost/base:1
# | podman run: refused
packages=podman=5.8.6+ds1-3,crun,netavark,conmon,busybox-static
set -euo pipefail

if [ "${1:-}" != inside ]; then
    unified=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    [ -n "$unified" ] || { echo "no cgroup2 hierarchy is mounted" >&2; exit 1; }
    top=$(mktemp -d)
    own=$unified/${top##*/}
    child=
    # shellcheck disable=SC2317  # the trap calls it
    cleanup() {
        if [ -n "$child" ]; then kill -KILL "$child" 2>/dev/null || true; { wait "$child"; } 2>/dev/null || true; fi
        # A killed namespace takes a moment to go; only folders can be removed there.
        for _ in $(seq 50); do
            if [ ! -d "$own" ] || find "$own" -depth -type d -exec rmdir {} + 2>/dev/null; then break; fi
            sleep 0.1
        done
        rm -rf --one-file-system "$top"
    }
    trap cleanup EXIT
    trap 'exit 1' HUP INT TERM
    # All that runs, runs in namespaces and in a cgroup of its own, and ends with this script.
    apart() {
        (echo "$BASHPID" >"$own/cgroup.procs" && exec setpriv --pdeathsig KILL unshare --mount --pid \
            --fork --kill-child --mount-proc --propagation private "$@") &
        child=$!
        wait "$child"
        child=
    }
    mkdir "$own"
    apart env TMPDIR="$top" mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" \
        --aptopt='Acquire::Check-Valid-Until "false"' --dpkgopt=force-unsafe-io forky "$top/root"
    apart --net --ipc --uts --cgroup env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        bash "$(realpath "$0")" inside "$top/root"
    diff <(sed -n 's/^# | \?//p' "$0") <(sed -E 's/(sha256:)?[0-9a-f]{64}/ID/g' "$top/root/seen")
    echo "as described"
    exit
fi

cd "$2"
mount --bind . .
cd "$2"
mount -t proc proc proc
mount --rbind /dev dev
mount --rbind /sys sys
umount -R sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
for folder in dev/shm run tmp var/tmp; do mount -t tmpfs tmpfs "$folder"; done
mkdir sys/fs/cgroup/init
echo $$ >sys/fs/cgroup/init/cgroup.procs
pivot_root . mnt
cd /
umount -l /mnt
busybox ip link set lo up
# Neither a firewall nor a controller for processes is needed here.
printf '[containers]\npids_limit = 0\n[network]\nfirewall_driver = "none"\n' >/etc/containers/containers.conf
layers=/var/lib/containers/storage/overlay
mkdir -p "$layers"
mount -t tmpfs -o size=64m disk "$layers"

exec >/seen
podman() { command podman --cgroup-manager=cgroupfs "$@" 2>>/log; }
disk() { grep -q "^disk $layers " /proc/mounts && echo "the disk is mounted" || echo "the disk is not mounted"; }
mkdir -p /tmp/image/bin
cp /usr/bin/busybox /tmp/image/bin/sh
echo "at first: $(disk)"
tar -C /tmp/image -c . | podman import --quiet - base:1 >/tmp/id
echo "after an import: $(disk)"
echo "podman images: $(podman images --format '{{.Repository}}:{{.Tag}}')"
echo "podman run: $(podman run --network none base:1 sh -c 'echo hello' || echo refused)"
