#!/usr/bin/env bash
# `podman cp CONTAINER:PATH -`, and the archive of a path in its API, give all files to root: who owned them is lost. Other
# tools copy volumes that way; what is put back then belongs to root. The folder itself is left out.
#
# Podman 5.8.6 (Debian forky); 6.1.1 does the same. Docker's archive has the owners and the folder. An export of the
# container has the owners on both, but none of a volume's files.
# Needs root, mmdebstrap and 1 GB in TMPDIR.
#
# | on the disk:
# | d ./ 33:33
# | c ./device 0:0
# | f ./file 70000:80000
# | in the archive of the path:
# | c device 0:0
# | - file 0:0
# | the container exported:
# | - own 70000:80000
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

exec >/seen
podman() { command podman --cgroup-manager=cgroupfs "$@"; }
names() { tar --list --verbose --numeric-owner | sed -nE 's/^(.)[^ ]* +([0-9]+)\/([0-9]+) .* ([^ ]+)$/\1 \4 \2:\3/p'; }
mkdir -p /tmp/image/bin
cp /usr/bin/busybox /tmp/image/bin/sh
tar -C /tmp/image -c . | podman import --quiet - app >/tmp/id
podman volume create data >/tmp/id
folder=$(podman volume inspect --format '{{.Mountpoint}}' data)
chown 33:33 "$folder"
touch "$folder/file"
chown 70000:80000 "$folder/file"
mknod "$folder/device" c 1 3
echo "on the disk:"
(cd "$folder" && find . -printf '%y %p %U:%G\n' | sed 's#^d \.#d ./#' | sort -k2)
podman create --name reader --volume data:/data app sh >/tmp/id
echo "in the archive of the path:"
podman cp reader:/data/. - | names
touch /tmp/own
chown 70000:80000 /tmp/own
podman cp --archive=false /tmp/own reader:/own >/tmp/id
tree=$(podman mount reader)
chown 70000:80000 "$tree/own"
podman unmount reader >/tmp/id
echo "the container exported:"
podman export reader | names | grep ' own '
