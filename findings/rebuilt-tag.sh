#!/usr/bin/env bash
# A build that moves a tag takes the image of a running container away: the container's ImageID is then in no list of
# images, not even of all or dangling ones, inspecting it is a 404, and `docker commit` of the container fails.
#
# Docker 28.5.2 with the containerd image store and its own BuildKit (Debian forky). On overlay2, and here after an
# import, the former image stays as <none>. The container goes on, also over a restart, and keeps its unpacked layers;
# what is gone is the manifest and the configuration. Needs root, mmdebstrap and 1 GB in TMPDIR.
#
# | before: image of the container: inspected
# | all images:
# | app:1 ID (built last)
# | base:1 ID
# | dangling images:
# | after: image of the container: Error response from daemon: No such image: ID
# | commit: Error response from daemon: NotFound: content digest ID: not found
# | after a restart the container reads: one
# | imported twice: dangling images: 1
packages=docker.io=28.5.2+dfsg4-5,docker-cli=28.5.2+dfsg4-5,containerd=2.1.9+ds1-5,docker-buildx,busybox-static
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
dockerd --feature containerd-snapshotter=true --bridge none --iptables=false --ip6tables=false >/log 2>&1 &
for _ in $(seq 300); do if docker version >/dev/null 2>&1; then break; fi; sleep 0.1; done
docker version >/dev/null || { tail /log >&2; exit 1; }

exec >/seen
import() {
    mkdir -p /tmp/image/bin
    cp /usr/bin/busybox /tmp/image/bin/sh
    tar -C /tmp/image -c . | docker import - "$1" >/tmp/id
}
build() {
    mkdir -p /tmp/build
    printf 'FROM base:1\nRUN echo %s >/text\nCMD ["sh", "-c", "sleep 1000"]\n' "$1" >/tmp/build/Dockerfile
    # BuildKit may give up on a lock that another of its own steps holds; a second go finds it free.
    for _ in 1 2 3; do
        if docker build --quiet --network none --tag app:1 /tmp/build; then return; fi
    done
    return 1
}
import base:1
build one >/tmp/id
docker run --detach --network none --name old app:1 >/tmp/id
image=$(docker inspect --format '{{.Image}}' old)
echo "before: image of the container: $(docker image inspect --format inspected "$image")"
last=$(build two)
echo "all images:"
docker image ls --all --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' | sed "s/$last/& (built last)/" | sort
echo "dangling images:"
docker image ls --quiet --filter dangling=true
echo "after: image of the container: $(docker image inspect "$image" 2>&1 >/tmp/inspected || true)"
echo "commit: $(docker commit old copy:1 2>&1)" || true
docker restart --time 0 old >/tmp/id
echo "after a restart the container reads: $(docker exec old sh -c 'read -r text </text; echo "$text"')"
import base:1
echo "imported twice: dangling images: $(docker image ls --quiet --filter dangling=true | wc -l)"
