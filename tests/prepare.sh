# Brings a machine and a checkout into the state that tests/run and tests/sandbox need; both source it.
# It says nothing unless it has work to do or fails. With need=engine only what starts one is installed.

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$checkout/.venv
need=${need:-everything}
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
    local missing=() command package python of
    python=$(find_python) || missing+=(python3)
    "${python:-false}" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    while read -r of command package; do
        [ "$of" = engine ] || [ "$need" = everything ] || continue
        command -v "$command" >/dev/null || missing+=("$package")
    done <<'COMMANDS'
engine mmdebstrap mmdebstrap
engine unshare util-linux
engine setpriv util-linux
engine chattr e2fsprogs
tests mkfs.xfs xfsprogs
tests mkfs.btrfs btrfs-progs
tests groff groff-base
tests mandoc mandoc
tests git git
tests getfattr attr
tests getfacl acl
tests zstd zstd
tests ssh openssh-client
tests systemd-analyze systemd
tests zsh zsh
tests fish fish
tests tmux tmux
tests chromium-headless-shell chromium-headless-shell
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
    local stamp=$venv/.installed-from state extra='' installed
    state="$checkout $(sha256sum <"$checkout/pyproject.toml")"
    installed=$(cat "$stamp" 2>/dev/null || true)
    if [ "$need" = everything ]; then
        extra='[dev]'
    elif [ "$installed" = "$state everything" ]; then
        return 0
    fi
    [ "$installed" != "$state $need" ] || return 0
    say "installing the project into $venv"
    if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        rm -rf "$venv"
        "$(find_python)" -m venv "$venv"
    fi
    rm -f "$stamp"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --root-user-action=ignore \
        --editable "$checkout$extra" </dev/null
    printf '%s\n' "$state $need" >"$stamp"
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
    [ "$need" = engine ] || prepare_program prometheus promtool
    [ "$need" = engine ] || prepare_program docker-registry docker-registry
) 9<"$checkout"
