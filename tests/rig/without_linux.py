"""Runs the quick suite without what Linux alone has: `python -m tests.rig.without_linux`.

There are no macOS machines here. So /proc, /sys and what systemd has in /run are hidden in a mount namespace of its
own, and each Python that starts there is without what macOS's does not have: tests/rig/taken_away. Tests of what Linux
alone has carry the mark `linux`, and are left out, as are those of what is pure.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
TAKEN_AWAY = Path(__file__).parent / "taken_away"
_PROCESSES = 3
_PURE = ("tests/docs", "tests/model", "tests/policy", "tests/words")
# /proc comes last: mount(8) reads it.
_ENTER = """
set -eu
for folder in /sys /run/systemd /run/lock /proc; do
    [ ! -d "$folder" ] || mount -t tmpfs -o ro tmpfs "$folder"
done
exec "$@"
"""


def main() -> int:
    """Run the suite, and return 1 where it fails, with what it said."""
    done = run_quick_suite()
    sys.stdout.write(f"without Linux: {(done.stdout.splitlines() or [''])[-1].strip('= ')}\n")
    if done.returncode != 0:
        sys.stdout.write(done.stdout + done.stderr)
    return min(done.returncode, 1)


def run_quick_suite(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it, or what the arguments say of it, and return how it ended and what it said."""
    flags = "--quick --few-examples --without-linux -p no:cacheprovider"
    words = ["-m", "pytest", "-q", *flags.split(), "-n", str(_PROCESSES)]
    command = [
        *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private"),
        *("bash", "-c", _ENTER, "enter", sys.executable, *words, "--dist", "loadgroup", *arguments),
        *(f"--ignore={folder}" for folder in _PURE),
    ]
    paths = [str(TAKEN_AWAY), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=CHECKOUT, env=environment
    )


if __name__ == "__main__":
    sys.exit(main())
