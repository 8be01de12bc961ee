#!/usr/bin/env bash
# What docker compose builds has its labels, and they are inherited: a container that somebody runs of that image has
# them, and an image that somebody builds FROM it. Filters by label take both for the project's, and prune removes them
# with it; compose's own list does not know the container.
#
# Docker 28.5.2 and docker compose 2.40.3 (Debian forky), without a network. Only the container's further compose labels
# tell what compose made. Needs root, mmdebstrap and 1 GB in TMPDIR.
#
# | containers by label: by-hand
# | containers by compose: none
# | images by label: mine:1 review-a:latest
# | pruned by label: mine:1 review-a:latest
packages=docker.io=28.5.2+dfsg4-5,docker-cli=28.5.2+dfsg4-5,containerd=2.1.9+ds1-5,docker-buildx,docker-compose=2.40.3-3,busybox-static
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
dockerd --bridge none --iptables=false --ip6tables=false >/log 2>&1 &
for _ in $(seq 300); do if docker version >/dev/null 2>&1; then break; fi; sleep 0.1; done
docker version >/dev/null || { tail /log >&2; exit 1; }

exec >/seen
label=com.docker.compose.project=review
mkdir -p /tmp/image/bin /tmp/review
cp /usr/bin/busybox /tmp/image/bin/sh
tar -C /tmp/image -c . | docker import - base:1 >/tmp/id
printf 'FROM base:1\nENV step=one\n' >/tmp/review/Dockerfile
printf 'services:\n  a:\n    build: .\n' >/tmp/review/compose.yaml
docker compose --file /tmp/review/compose.yaml --project-name review build --quiet
printf 'FROM review-a\nENV step=two\n' | docker build --quiet --network none --tag mine:1 - >/tmp/id
docker run --network none --name by-hand review-a sh -c : >/dev/null
names() { local all; all=$(sort | tr '\n' ' '); sed 's/ $//' <<<"${all:-none}"; }
echo "containers by label: $(docker ps --all --filter label=$label --format '{{.Names}}' | names)"
echo "containers by compose: $(docker compose --project-name review ps --all --quiet | names)"
echo "images by label: $(docker image ls --filter label=$label --format '{{.Repository}}:{{.Tag}}' | names)"
docker rm by-hand >/dev/null
echo "pruned by label: $(docker image prune --all --force --filter label=$label | sed -n 's/^untagged: //p' | names)"
