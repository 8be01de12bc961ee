#!/usr/bin/env bash
# An engine that is started with `--bridge none` removes the bridge docker0 of an engine that runs beside it in the same
# network: no container of that starts on its default network any more, until it is itself started again.
#
# Docker 28.5.2 (Debian forky). The option is what a second engine gets that is to leave the network of the first alone;
# nothing is logged by either at the time. The end of the second does not bring the bridge back.
# Needs root, mmdebstrap and 1 GB in TMPDIR.
#
# | the first alone: docker0 is there, docker run ends with 0
# | the second beside it: docker0 is gone, docker run ends with 125
# | the second has ended: docker0 is gone, docker run ends with 125
# | the first started again: docker0 is there, docker run ends with 0
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
    dockerd --iptables=false --ip6tables=false --shutdown-timeout 1 "$@" >>/log 2>&1 &
    engine=$!
}
answers() {
    for _ in $(seq 300); do if docker --host "$1" version >/dev/null 2>&1; then return; fi; sleep 0.1; done
    tail /log >&2
    exit 1
}
end() {
    kill "$1"
    { wait "$1"; } 2>/dev/null || true
}
tell() {
    local status=0 bridge=gone
    if busybox ip link show docker0 >/dev/null 2>&1; then bridge=there; fi
    docker run --rm base:1 sh -c true >>/log 2>&1 || status=$?
    echo "$1: docker0 is $bridge, docker run ends with $status"
}

start
first=$engine
answers unix:///var/run/docker.sock
mkdir -p /tmp/image/bin
cp /usr/bin/busybox /tmp/image/bin/sh
tar -C /tmp/image -c . | docker import - base:1 >/tmp/id
tell "the first alone"
start --bridge none --data-root /second --exec-root /run/second --pidfile /run/second.pid --host unix:///run/second.sock
second=$engine
answers unix:///run/second.sock
tell "the second beside it"
end "$second"
tell "the second has ended"
end "$first"
start
answers unix:///var/run/docker.sock
tell "the first started again"
