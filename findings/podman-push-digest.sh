#!/usr/bin/env bash
# Podman lists an image that it has pushed with a digest that the registry does not have: what it pushes is compressed,
# and it goes on to list the digest of its own, uncompressed manifest. A pull by the listed reference fails.
#
# Podman 5.8.6 (Debian forky) and docker-registry. Docker lists the digest that the registry answered the push with.
# Needs root, mmdebstrap and 1 GB in TMPDIR.
#
# | after podman push of 127.0.0.1:5000/app:1:
# | digests that podman lists: 1
# | the registry has what podman lists: 404
# | the registry has what it calls app:1: 200
# | they are the same: no
# | pulled by the listed digest: manifest unknown
# | pulled by the tag it is the same image: yes
packages=podman=5.8.6+ds1-3,crun,netavark,conmon,busybox-static,docker-registry,curl
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
printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: /tmp/registry}}\nhttp: {addr: "127.0.0.1:5000"}\n' >/tmp/config
docker-registry serve /tmp/config >/log 2>&1 &
for _ in $(seq 300); do if curl --silent --output /tmp/answer 127.0.0.1:5000/v2/; then break; fi; sleep 0.1; done
curl --silent --output /tmp/answer 127.0.0.1:5000/v2/ || { tail /log >&2; exit 1; }

exec >/seen
podman() { command podman --cgroup-manager=cgroupfs "$@"; }
manifest=application/vnd.oci.image.manifest.v1+json
ask() { curl --silent --head --header "Accept: $manifest" "127.0.0.1:5000/v2/app/manifests/$1"; }
status() { ask "$1" | sed -n '1s/HTTP[^ ]* \([0-9]*\).*/\1/p'; }
mkdir -p /tmp/image/bin
cp /usr/bin/busybox /tmp/image/bin/sh
tar -C /tmp/image -c . | podman import --quiet - 127.0.0.1:5000/app:1 >/tmp/id
before=$(podman image inspect --format '{{.Id}}' 127.0.0.1:5000/app:1)
podman push --quiet --tls-verify=false 127.0.0.1:5000/app:1
echo "after podman push of 127.0.0.1:5000/app:1:"
podman image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' 127.0.0.1:5000/app:1 | sed '/^$/d' >/tmp/listed
echo "digests that podman lists: $(wc -l </tmp/listed)"
listed=$(sed 's/.*@//' /tmp/listed)
there=$(ask 1 | tr -d '\r' | sed -n 's/^docker-content-digest: //Ip')
echo "the registry has what podman lists: $(status "$listed")"
echo "the registry has what it calls app:1: $(status "$there")"
echo "they are the same: $([ "$listed" = "$there" ] && echo yes || echo no)"
podman rmi --force 127.0.0.1:5000/app:1 >/tmp/id
pulled=$(podman pull --quiet --tls-verify=false "127.0.0.1:5000/app@$listed" 2>&1 || true)
echo "pulled by the listed digest: $(grep -o 'manifest unknown' <<<"$pulled" | head -1)"
after=$(podman pull --quiet --tls-verify=false 127.0.0.1:5000/app:1)
echo "pulled by the tag it is the same image: $([ "$before" = "$after" ] && echo yes || echo no)"
