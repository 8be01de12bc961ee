#!/usr/bin/env bash
# A container with `--restart on-failure` that somebody stopped runs again when the engine starts, if its program did
# not end by itself on the stop signal: the 137 of the kill counts as a failure. With `unless-stopped` it stays down.
#
# Docker 28.5.2 (Debian forky). Docker's manual says of on-failure that it does not start a container when the daemon
# restarts. One that was stopped and ended with 0 stays down, so it depends on how the program takes its stop signal.
# Needs root, mmdebstrap and 1 GB in TMPDIR.
#
# | after docker stop:
# | always Exited (137)
# | on-failure Exited (137)
# | on-failure-tidy Exited (0)
# | unless-stopped Exited (137)
# | after the engine's restart:
# | always Up
# | on-failure Up
# | on-failure-tidy Exited (0)
# | unless-stopped Exited (137)
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
    dockerd --bridge none --iptables=false --ip6tables=false --shutdown-timeout 1 >>/log 2>&1 &
    engine=$!
    for _ in $(seq 300); do if docker version >/dev/null 2>&1; then break; fi; sleep 0.1; done
    docker version >/dev/null || { tail /log >&2; exit 1; }
}
states() {
    docker ps --all --format '{{.Names}} {{.Status}}' | sed -E 's/ (Less|About|[0-9]+) .*//' | sort
}

start
mkdir -p /tmp/image/bin
cp /usr/bin/busybox /tmp/image/bin/sh
tar -C /tmp/image -c . | docker import - base:1 >/tmp/id
run() { docker run --detach --network none --name "$1" --restart "$2" base:1 sh -c "$3" >/tmp/id; }
for policy in always on-failure unless-stopped; do
    run "$policy" "$policy" 'echo ready; while :; do sleep 1; done'
done
run on-failure-tidy on-failure 'trap "exit 0" TERM; echo ready; while :; do sleep 0.1; done'
for name in always on-failure unless-stopped on-failure-tidy; do
    for _ in $(seq 100); do if [ -n "$(docker logs "$name")" ]; then break; fi; sleep 0.1; done
done
docker stop --time 2 always on-failure unless-stopped on-failure-tidy >/tmp/id
echo "after docker stop:"
states
kill "$engine"
{ wait "$engine"; } 2>/dev/null || true
start
sleep 3
echo "after the engine's restart:"
states
