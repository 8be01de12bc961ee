#!/usr/bin/env bash
# A specifier in the name of a quadlet's volume means something else in each unit that uses the volume: the unit of the
# volume makes one volume, and the container that names this unit mounts another.
#
# Podman 5.8.6 (Debian forky), its systemd generator; that of 6.1 writes the same.
# Needs root, mmdebstrap and 300 MB in TMPDIR; nothing is started.
#
# | data.volume has VolumeName=%p-data
# | data-volume.service, whose %p is data-volume: podman volume create --ignore %p-data
# | app.service, whose %p is app: podman run ... -v %p-data:/data app:1
packages=podman=5.8.6+ds1-3
set -euo pipefail

top=$(mktemp -d)
trap 'rm -rf --one-file-system "$top"' EXIT
trap 'exit 1' HUP INT TERM
unshare --mount --pid --fork --kill-child --mount-proc --propagation private env TMPDIR="$top" \
    mmdebstrap --quiet --mode=root --variant=extract --include="$packages" \
    --aptopt='Acquire::Check-Valid-Until "false"' forky "$top/root"
mkdir "$top/units"
printf '[Volume]\nVolumeName=%%p-data\n' >"$top/units/data.volume"
printf '[Container]\nImage=app:1\nVolume=data.volume:/data\n' >"$top/units/app.container"
loader=$(find "$top/root" -name 'ld-linux-x86-64.so.2' | head -n 1)
QUADLET_UNIT_DIRS="$top/units" "$loader" --library-path "$top/root/usr/lib/x86_64-linux-gnu" \
    "$top/root/usr/libexec/podman/quadlet" -dryrun >"$top/told" 2>"$top/log"
command_of() {
    sed -n "/^---$1---/,/^---/s|^ExecStart=/usr/bin/||p" "$top/told"
}
{
    echo "data.volume has $(sed -n 2p "$top/units/data.volume")"
    echo "data-volume.service, whose %p is data-volume: $(command_of data-volume.service)"
    echo "app.service, whose %p is app: $(command_of app.service | sed 's/ run .* -v / run ... -v /')"
} >"$top/seen"
diff <(sed -n 's/^# | \?//p' "$0") "$top/seen"
echo "as described"
