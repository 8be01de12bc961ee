#!/usr/bin/env bash
# `docker run --rm` removes the container's anonymous volumes with it, but not if the engine is what ends it: when the
# engine stops, or starts after a crash, the container goes and its anonymous volumes stay, held by nothing.
#
# Docker 28.5.2, both image stores (Debian forky). So a host on which `--rm` is always given fills with volumes all the
# same, with each restart of the engine. Needs root, mmdebstrap and 1 GB in TMPDIR.
#
# | stopped by hand: 0 containers, 0 volumes
# | engine stopped and started: 0 containers, 1 volumes
# | engine killed and started: 0 containers, 2 volumes
# | what is left is anonymous: 2
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
    dockerd --bridge none --iptables=false --ip6tables=false --shutdown-timeout 1 >>/log 2>&1 &
    engine=$!
    for _ in $(seq 300); do if docker version >/dev/null 2>&1; then break; fi; sleep 0.1; done
    docker version >/dev/null || { tail /log >&2; exit 1; }
}
run() {
    docker run --detach --rm --network none --name job --volume /data base:1 sh -c 'sleep 1000' >/tmp/id
}
left() {
    for _ in $(seq 100); do if [ -z "$(docker ps --all --quiet)" ]; then break; fi; sleep 0.1; done
    # The volumes of a container go just after it.
    sleep 1
    echo "$1: $(docker ps --all --quiet | wc -l) containers, $(docker volume ls --quiet | wc -l) volumes"
}

start
mkdir -p /tmp/image/bin
cp /usr/bin/busybox /tmp/image/bin/sh
tar -C /tmp/image -c . | docker import - base:1 >/tmp/id
run
docker stop --time 0 job >/tmp/id
left "stopped by hand"
run
kill "$engine"
{ wait "$engine"; } 2>/dev/null || true
start
left "engine stopped and started"
run
kill -KILL "$engine"
{ wait "$engine"; } 2>/dev/null || true
start
left "engine killed and started"
echo "what is left is anonymous: $(docker volume ls --quiet --filter label=com.docker.volume.anonymous | wc -l)"
