#!/usr/bin/env bash
# Podman's API for Docker clients refuses to remove the network of a running container when it is named by its name,
# and removes it when it is named by its id. The container keeps its address till it is stopped, and cannot start again.
#
# Podman 5.8.6 (Debian forky), `podman system service`. Docker answers 403 to both.
# Needs root, mmdebstrap and 1 GB in TMPDIR.
#
# | DELETE /networks/app: 500 network is being used
# | DELETE /networks/ID: 204
# | networks named app: 0
# | the container runs: true
# | it has its address: yes
# | after podman stop it starts: unable to find network with name or ID app: network not found
packages=podman=5.8.6+ds1-3,crun,netavark,aardvark-dns,conmon,busybox-static,curl
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
podman --cgroup-manager=cgroupfs system service --time=0 unix:///run/podman.sock >/log 2>&1 &
for _ in $(seq 300); do if [ -S /run/podman.sock ]; then break; fi; sleep 0.1; done
[ -S /run/podman.sock ] || { tail /log >&2; exit 1; }

exec >/seen
remove() {
    status=$(curl --silent --output /tmp/answer --write-out '%{http_code}' --request DELETE \
        --unix-socket /run/podman.sock "http://podman/v1.41/networks/$1")
    echo "DELETE /networks/$1: $status $(sed -n 's/.*"cause":"\([^"]*\)".*/\1/p' /tmp/answer)" | sed 's/ $//'
}
podman() { command podman --cgroup-manager=cgroupfs "$@"; }
mkdir -p /tmp/image/bin
cp /usr/bin/busybox /tmp/image/bin/sh
tar -C /tmp/image -c . | podman import --quiet - base:1 >/tmp/id
podman network create --internal app >/tmp/id
podman run --detach --name web --network app base:1 sh -c 'sleep 1000' >/tmp/id
id=$(podman network inspect --format '{{.ID}}' app)
remove app
remove "$id"
echo "networks named app: $(podman network ls --quiet | grep -cx app || true)"
echo "the container runs: $(podman inspect --format '{{.State.Running}}' web)"
echo "it has its address: $(podman exec web sh -c 'ip -4 address show eth0' | grep -q inet && echo yes)"
podman stop --time 0 web >/tmp/id 2>&1 || true
echo "after podman stop it starts: $(podman start web 2>&1 | sed 's/.*": //')"
