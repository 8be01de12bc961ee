#!/usr/bin/env bash
# Podman's API that is asked for events up to an instant that is past leaves most of them out, and says nothing of it:
# with its events in a file (`events_logger = "file"`) it stops reading that file as soon as `until` is reached, which
# is at once, wherever it has got to. How many come differs from call to call: none, or two.
#
# Podman 5.8.6 (Debian forky), 6.1.1 too. Without `until`, and without following, all come. Docker answers with all it
# has to `until` alone, and would wait for ever without it. Needs root, mmdebstrap and 1 GB in TMPDIR.
#
# | volumes made: 200
# | GET /events?stream=false&since=0: 200 of them
# | GET /events?since=0&until=the present: not all of them
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
printf '[containers]\npids_limit = 0\n[engine]\nevents_logger = "file"\n[network]\nfirewall_driver = "none"\n' >/etc/containers/containers.conf
podman --cgroup-manager=cgroupfs system service --time=0 unix:///run/podman.sock >/log 2>&1 &
for _ in $(seq 300); do if [ -S /run/podman.sock ]; then break; fi; sleep 0.1; done
[ -S /run/podman.sock ] || { tail /log >&2; exit 1; }

exec >/seen
api() { curl --silent --unix-socket /run/podman.sock "http://podman/v1.41/events?$1"; }
counted() { # EVENTS
    made=$(grep -c volume <<<"$1" || true)
    if [ "$made" = 200 ]; then echo "200 of them"; else echo "not all of them"; fi
}
for number in $(seq 200); do echo "v$number"; done | xargs -n 1 -P 2 podman --cgroup-manager=cgroupfs volume create >/tmp/made
echo "volumes made: $(wc -l </tmp/made)"
sleep 1
echo "GET /events?stream=false&since=0: $(counted "$(api 'stream=false&since=0')")"
echo "GET /events?since=0&until=the present: $(counted "$(api "since=0&until=$(date +%s)")")"
