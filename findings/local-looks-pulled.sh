#!/usr/bin/env bash
# A build that uses a local image in FROM makes it look as if it had been pulled: BuildKit writes containerd's label
# distribution.source on the image's manifest and configuration, with the registry that the name speaks of, although
# none has ever been asked. The layer gets no label.
#
# Docker 28.5.2 with the containerd image store and its own BuildKit (Debian forky), in a network namespace of its own
# where nothing listens at 127.0.0.1:5000. So the label does not tell that the image can be had again, and a cleanup
# that believes it removes the only copy. Needs root, mmdebstrap and 1 GB in TMPDIR.
#
# | imported:
# | manifest: no source
# | configuration: no source
# | layer: no source
# | used by a build:
# | manifest: containerd.io/distribution.source.127.0.0.1=own
# | configuration: containerd.io/distribution.source.127.0.0.1=own
# | layer: no source
# | pulled again: connection refused
packages=docker.io=28.5.2+dfsg4-5,docker-cli=28.5.2+dfsg4-5,containerd=2.1.9+ds1-5,docker-buildx,busybox-static,jq
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
own=127.0.0.1:5000/own:1
content() { ctr --address /run/docker/containerd/containerd.sock --namespace moby content "$@"; }
source_of() { # NAME DIGEST
    echo "$1: $(content ls | grep "^$2" | grep -o '[^,[:space:]]*distribution.source[^,[:space:]]*' || echo no source)"
}
sources() {
    source_of manifest "$manifest"
    source_of configuration "$(content get "$manifest" | jq --raw-output .config.digest)"
    source_of layer "$(content get "$manifest" | jq --raw-output '.layers[].digest')"
}
mkdir -p /tmp/image/bin /tmp/build
cp /usr/bin/busybox /tmp/image/bin/sh
manifest=$(tar -C /tmp/image -c . | docker import - $own)
echo "imported:"
sources
printf 'FROM %s\nENV used=yes\n' $own >/tmp/build/Dockerfile
docker build --quiet --network none --tag built:1 /tmp/build >/tmp/id
echo "used by a build:"
sources
echo "pulled again: $(docker pull $own 2>&1 | grep -o 'connection refused')"
