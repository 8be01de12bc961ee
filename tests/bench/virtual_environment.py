"""Virtual environments in the cache folder, with what is measured or compared with."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

from tests.bench.measure import BenchError
from tests.rig.engines import roots

_PATIENCE = 300


def python_with(name: str, *requirements: str) -> Path:
    """The interpreter that has these requirements and what they require; installed when it is not there yet."""
    home = roots.CACHE / name
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The mark comes last, so that an interrupted installation is done again.
        if not (home / ".complete").exists():
            _install(home, requirements)
    return home / "bin" / "python"


def _install(home: Path, requirements: tuple[str, ...]) -> None:
    shutil.rmtree(home, ignore_errors=True)
    _call(sys.executable, "-m", "venv", str(home))
    _call(str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements)
    (home / ".complete").touch()


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
