#!/usr/bin/env bash
# Where Docker's containerd store holds the images, a container with `--mount type=image` finds the mounted image empty once
# the machine has been booted, which ends all mounts, and nothing says so. When it is removed after that, the lease that the
# mount had stays, and keeps all layers of the image: no list shows them, and neither a prune nor a further start of the
# engine takes them away.
#
# Docker 28.5.2, containerd store (Debian forky). Where the engine alone is started again the mount is still there, and all
# is well. Needs root, mmdebstrap and 1 GB in TMPDIR.
#
# | files in the mounted image before: 1
# | files after the engine was started again: 1
# | files after its mounts had ended too: 0
# | container, image and what can be pruned are gone: 0 images, 1 leases, more than 5 MB in snapshots
# | started again: 0 images, 1 leases, more than 5 MB in snapshots
# | lease removed by hand: 0 images, 0 leases, less in snapshots
packages=docker.io=28.5.2+dfsg4-5,docker-cli=28.5.2+dfsg4-5,containerd=2.1.9+ds1-5,busybox-static
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

exec >/seen
start() {
    rm -f /run/docker.pid
    dockerd --bridge none --iptables=false --ip6tables=false --shutdown-timeout 1 --feature containerd-snapshotter=true \
        >>/log 2>&1 &
    engine=$!
    for _ in $(seq 300); do if docker version >/dev/null 2>&1; then break; fi; sleep 0.1; done
    docker version >/dev/null || { tail /log >&2; exit 1; }
}
restart() {
    kill "$engine"
    { wait "$engine"; } 2>/dev/null || true
    "$@"
    start
}
leases() { ctr --address /run/docker/containerd/containerd.sock --namespace moby leases "$@"; }
of_mounts() { leases ls --quiet | { grep -E '^[0-9a-f]{64}-' || true; }; }
left() {
    # What nothing keeps is collected a moment later.
    sleep 2
    size=$(du -sm /var/lib/docker/containerd/daemon/io.containerd.snapshotter.v1.overlayfs/snapshots | cut -f 1)
    if [ "$size" -ge 5 ]; then size="more than 5 MB"; else size=less; fi
    echo "$1: $(docker images --all --quiet | wc -l) images, $(of_mounts | wc -l) leases, $size in snapshots"
}

start
mkdir -p /tmp/image/bin
cp /usr/bin/busybox /tmp/image/bin/sh
tar -C /tmp/image -c . | docker import - base:1 >/tmp/id
mkdir /tmp/mounted
head -c 6000000 /dev/urandom >/tmp/mounted/file
tar -C /tmp/mounted -c . | docker import - mounted:1 >/tmp/id
docker run --detach --network none --name job --mount type=image,source=mounted:1,target=/data base:1 \
    sh -c 'sleep 1000' >/tmp/id 2>&1
count() { docker exec job sh -c 'ls /data | wc -l'; }
echo "files in the mounted image before: $(count)"
docker stop --time 0 job >/tmp/id
restart
docker start job >/tmp/id
echo "files after the engine was started again: $(count)"
docker stop --time 0 job >/tmp/id
# As a boot does.
restart umount /var/lib/docker/rootfs/overlayfs/*-mounted:1
docker start job >/tmp/id
echo "files after its mounts had ended too: $(count)"
docker rm --force job >/tmp/id
docker rmi mounted:1 base:1 >/tmp/id
docker system prune --all --force --volumes >/tmp/id
left "container, image and what can be pruned are gone"
restart
left "started again"
leases rm --sync "$(of_mounts)" >/tmp/id
left "lease removed by hand"
