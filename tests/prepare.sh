# Brings a machine and a checkout into the state that tests/run and tests/sandbox need; both source it.
# It says nothing unless it has work to do or fails.

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$checkout/.venv
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV

say() { printf '%s\n' "$*" >&2; }

# A Python of the machine, not of some virtual environment that we happen to be called in.
find_python() {
    local candidate
    for candidate in /usr/bin/python3 python3.14 python3.13 python3.12 python3.11 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11) or sys.prefix != sys.base_prefix)' \
            2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

prepare_machine() {
    local missing=() command package python
    python=$(find_python) || missing+=(python3)
    "${python:-false}" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    while read -r command package; do
        command -v "$command" >/dev/null || missing+=("$package")
    done <<'COMMANDS'
mmdebstrap mmdebstrap
unshare util-linux
setpriv util-linux
chattr e2fsprogs
mkfs.xfs xfsprogs
mkfs.btrfs btrfs-progs
groff groff-base
mandoc mandoc
git git
systemd-analyze systemd
zsh zsh
fish fish
chromium-headless-shell chromium-headless-shell
COMMANDS
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        say "only root can install packages: apt-get install ${missing[*]}"
        return 1
    fi
    local log
    log=$(mktemp)
    if ! {
        apt-get update &&
            DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"
    } >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# The stamp is written last of all, so that an interrupted installation is done again.
prepare_venv() {
    local stamp=$venv/.installed-from state
    state="$checkout $(sha256sum <"$checkout/pyproject.toml")"
    [ "$(cat "$stamp" 2>/dev/null)" != "$state" ] || return 0
    say "installing the project into $venv"
    if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        rm -rf "$venv"
        "$(find_python)" -m venv "$venv"
    fi
    rm -f "$stamp"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --root-user-action=ignore \
        --editable "$checkout[dev]" </dev/null
    printf '%s\n' "$state" >"$stamp"
}

# Only the one program of a package: the whole of it would start a server.
prepare_program() {
    local package=$1 name=$2 folder
    [ ! -x "$venv/bin/$name" ] || return 0
    say "installing $name"
    folder=$(mktemp -d)
    if ! (
        cd "$folder" &&
            { apt-get download "$package" || { apt-get update && apt-get download "$package"; }; } &&
            dpkg-deb --extract "$package"_*.deb . &&
            install "usr/bin/$name" "$venv/bin/"
    ) >"$folder/log" 2>&1 </dev/null; then
        cat "$folder/log" >&2
        rm -rf "$folder"
        return 1
    fi
    rm -rf "$folder"
}

# One at a time, as two runs may start together on a new machine.
(
    set -e
    flock 9
    prepare_machine
    prepare_venv
    prepare_program prometheus promtool
    prepare_program docker-registry docker-registry
) 9<"$checkout"
