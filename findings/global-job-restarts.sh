#!/usr/bin/env bash
# The tasks of a global job that are never to be restarted are started again at once where they fail on two nodes:
# several times a second, for as long as the service is there. On one node they are started once, and so they are on two
# with `on-failure` and a long delay.
#
# Docker 28.5.2 (Debian forky), two engines on loopback addresses, without another network. Needs root, mmdebstrap and
# 1 GB in TMPDIR.
#
# | none, on one node: 1 start
# | none, on two nodes: more than 3 starts
# | on-failure after 1h, on two nodes: 2 starts
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
mkdir -p /tmp/image/bin
cp /usr/bin/busybox /tmp/image/bin/sh
tar -C /tmp/image -c . >/tmp/image.tar
on() {
    local node=$1
    shift
    docker --host "unix:///run/$node.sock" "$@"
}
engines=()
for node in a b; do
    dockerd --host "unix:///run/$node.sock" --data-root "/var/lib/$node" --exec-root "/run/$node" \
        --pidfile "/run/$node.pid" --bridge none --iptables=false --ip6tables=false --shutdown-timeout 1 >"/log.$node" 2>&1 &
    engines+=($!)
    for _ in $(seq 300); do if on "$node" version >/dev/null 2>&1; then break; fi; sleep 0.1; done
    on "$node" import /tmp/image.tar fails >/tmp/id || { tail "/log.$node" >&2; exit 1; }
done
on a swarm init --listen-addr 127.0.0.1 --advertise-addr 127.0.0.1 >/tmp/id

try() {
    local name=$1 count
    shift
    on a service create --quiet --detach --name job --mode global-job --network host "$@" fails sh -c 'exit 3' \
        >/tmp/id 2>&1
    sleep 5
    count=$(for node in a b; do on "$node" events --since 6s --until 0s --filter event=start; done | wc -l)
    if [ "$count" -gt 3 ]; then count="more than 3"; fi
    echo "$name: $count start$([ "$count" = 1 ] || echo s)"
    on a service rm job >/tmp/id
    sleep 7
}
try "none, on one node" --restart-condition none
on b swarm join --listen-addr 127.0.0.2 --advertise-addr 127.0.0.2 --token "$(on a swarm join-token --quiet worker)" \
    127.0.0.1:2377 >/tmp/id
try "none, on two nodes" --restart-condition none
try "on-failure after 1h, on two nodes" --restart-condition on-failure --restart-delay 1h
for node in b a; do on "$node" swarm leave --force >/tmp/id; done
kill "${engines[@]}"
{ wait "${engines[@]}"; } 2>/dev/null || true
