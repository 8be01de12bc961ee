#!/usr/bin/env bash
# `docker image prune` without --all removes the image that a swarm service names: a node pulls it by digest and leaves
# no tag, and at 0 replicas nothing holds it. On the containerd image store the same pull leaves the tag, so it stays.
#
# Docker 28.5.2 (Debian forky), one node, a registry on loopback. Where the registry is gone by then, the service
# cannot be scaled up again. Needs root, mmdebstrap and 1 GB in TMPDIR.
#
# | overlay2: running: 127.0.0.1:5000/db:<none>
# | overlay2: pruned at 0 replicas: 1 of 1 images
# | overlay2: scaled to 1: Rejected "No such image: 127.0.0.1:5000/db:16@ID"
# | containerd: running: 127.0.0.1:5000/db:16
# | containerd: pruned at 0 replicas: 0 of 1 images
# | containerd: scaled to 1: Running
packages=docker.io=28.5.2+dfsg4-5,docker-cli=28.5.2+dfsg4-5,containerd=2.1.9+ds1-5,docker-registry=2.8.3+ds1-3
packages=$packages,busybox-static,curl
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
mkdir -p /tmp/image/bin /tmp/registry
cp /usr/bin/busybox /tmp/image/bin/sh
printf '%s\n' 'version: 0.1' 'storage: {filesystem: {rootdirectory: /tmp/registry}}' 'http: {addr: "127.0.0.1:5000"}' \
    >/tmp/registry.yml
for store in overlay2 containerd; do
    docker-registry serve /tmp/registry.yml >/log.registry 2>&1 &
    registry=$!
    curl --silent --retry 50 --retry-connrefused --retry-delay 1 http://127.0.0.1:5000/v2/ >/tmp/answer
    containerd=$([ "$store" = containerd ] && echo true || echo false)
    dockerd --data-root "/var/lib/$store" --feature "containerd-snapshotter=$containerd" --bridge none \
        --iptables=false --ip6tables=false --shutdown-timeout 1 >/log 2>&1 &
    engine=$!
    for _ in $(seq 300); do if docker version >/dev/null 2>&1; then break; fi; sleep 0.1; done
    docker swarm init --listen-addr 127.0.0.1 --advertise-addr 127.0.0.1 >/tmp/id || { tail /log >&2; exit 1; }

    tar -C /tmp/image -c . | docker import - 127.0.0.1:5000/db:16 >/tmp/id
    docker push --quiet 127.0.0.1:5000/db:16 >/tmp/id
    docker image rm 127.0.0.1:5000/db:16 >/tmp/id
    docker service create --quiet --name db --network host 127.0.0.1:5000/db:16 sh -c 'sleep 1000' >/tmp/id
    echo "$store: running: $(docker image ls --format '{{.Repository}}:{{.Tag}}')"
    docker service scale --detach db=0 >/tmp/id
    for _ in $(seq 300); do if [ -z "$(docker ps --all --quiet)" ]; then break; fi; sleep 0.1; done
    docker image prune --force >/tmp/pruned
    echo "$store: pruned at 0 replicas: $((1 - $(docker image ls --all --quiet | wc -l))) of 1 images"
    kill "$registry"
    docker service scale --detach db=1 >/tmp/id
    for _ in $(seq 100); do
        task=$(docker service ps --no-trunc --format '{{.CurrentState}} {{.Error}}' db | sed -n '1s/ [^"]* ago//p')
        case $task in Running* | Rejected*) break ;; esac
        sleep 0.1
    done
    echo "$store: scaled to 1: ${task% }"
    docker swarm leave --force >/tmp/id
    kill "$engine"
    { wait "$engine"; } 2>/dev/null || true
done
