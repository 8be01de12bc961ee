"""Runs the quick suite under the Pythons of Debian's releases besides our own: `python -m tests.rig.pythons`.

All of it runs under the oldest and the newest. Those between run what uses the standard library most: a change of the
language shows in one of the two.

Each comes from a Debian release, in a root file system like those of the engines, and is entered by `chroot` in a mount
namespace of its own. What the tests import is installed beside it by the pip that we have, from wheels.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.rig.engines.roots import CACHE, Root, locked

CHECKOUT = Path(__file__).parents[2]
# The programs are those that the quick suite starts.
_PROGRAMS = ("acl", "attr", "groff-base", "mandoc", "zstd")
PYTHONS = {
    "3.11": Root("bookworm", ("python3.11", *_PROGRAMS)),
    "3.13": Root("trixie", ("python3.13", *_PROGRAMS)),
    "3.14": Root("forky", ("python3.14", *_PROGRAMS)),
}
"""By version, which is also a part of the program's name, where it comes from."""
_BETWEEN = list(PYTHONS)[1:-1]
_OF_THE_LIBRARY = (
    *("tests/commands/test_cli.py", "tests/commands/test_options.py", "tests/docs/test_man.py"),
    *("tests/report/test_completion_words.py", "tests/declared", "tests/engine", "tests/ledger", "tests/registry"),
    "tests/test_files.py",
)
_LINTERS = ("import-linter", "mypy", "ruff", "types-")
_PROCESSES = 3
# The overlay keeps the root as it is; its folders are gone with the namespace. $1 is the root, $2 the installed
# packages, $3 the checkout, $4 an empty folder, $5 the version.
_ENTER = """
set -euo pipefail
mount -t tmpfs tmpfs "$4"
mkdir "$4/upper" "$4/work" "$4/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$4/upper,workdir=$4/work" "$4/root"
cd "$4/root"
for folder in proc dev sys tmp; do mount --rbind "/$folder" "$folder"; done
mkdir -p "./$2" "./$3" "usr/local/lib/python$5/dist-packages"
mount --bind "$2" "./$2"
mount --bind "$3" "./$3"
printf '%s\\n%s\\n' "$3" "$2" >"usr/local/lib/python$5/dist-packages/checkout.pth"
enter='cd "$1" && shift && exec "$@"'
exec chroot . /bin/sh -c "$enter" enter "$3" "/usr/bin/python$5" "${@:6}"
"""


def main() -> int:
    """Run the suite under each, and return 1 where it fails, with what it said."""
    own = ".".join(map(str, sys.version_info[:2]))
    status = 0
    for version in PYTHONS:
        if version != own:
            done = run_quick_suite(version)
            sys.stdout.write(f"Python {version}: {(done.stdout.splitlines() or [''])[-1].strip('= ')}\n")
            if done.returncode != 0:
                sys.stdout.write(done.stdout + done.stderr)
                status = 1
    return status


def run_quick_suite(version: str) -> subprocess.CompletedProcess[str]:
    """Run it, or what is enough, under one Python, and return how it ended and what it said."""
    flags = "--quick --few-examples --dist loadgroup -p no:cacheprovider"
    words = [
        "-m",
        "pytest",
        "-q",
        *flags.split(),
        "-n",
        str(_PROCESSES),
        *(_OF_THE_LIBRARY if version in _BETWEEN else ()),
    ]
    with tempfile.TemporaryDirectory(prefix="dsw-python-") as folder:
        command = [
            *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private"),
            *("bash", "-c", _ENTER, "enter", str(PYTHONS[version].build()), str(installed(version))),
            *(str(CHECKOUT), folder, version, *words),
        ]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def installed(version: str) -> Path:
    """Return a folder with what the tests import, installed for one Python: anew where pyproject.toml names others."""
    recipe = hashlib.sha256("\n".join(_requirements()).encode()).hexdigest()[:8]
    folder = CACHE / "pythons" / f"{version}-{recipe}"
    with locked(folder.with_name(f"{version}.lock")):
        if not folder.is_dir():
            unfinished = folder.with_name(f"{folder.name}.unfinished")
            for former in folder.parent.glob(f"{version}-*"):
                shutil.rmtree(former)
            pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-compile"]
            target = ["--only-binary", ":all:", "--python-version", version, "--target", str(unfinished)]
            subprocess.run([*pip, "--root-user-action=ignore", *target, *_requirements()], check=True)
            os.rename(unfinished, folder)
    return folder


def _requirements() -> Iterator[str]:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    yield from project["dependencies"]
    yield from (one for one in project["optional-dependencies"]["dev"] if not one.startswith(_LINTERS))


if __name__ == "__main__":
    sys.exit(main())
