"""docker-custodian, in a virtual environment of its own in the cache folder."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

from tests.bench.measure import BenchError
from tests.rig.engines import roots

_REQUIREMENT = "docker_custodian==0.7.4"
_PATIENCE = 300


def python() -> Path:
    """The interpreter that has docker-custodian; installed when it is not there yet."""
    home = roots.CACHE / _REQUIREMENT.replace("==", "-")
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The mark comes last, so that an interrupted installation is done again.
        if not (home / ".complete").exists():
            _install(home)
    return home / "bin" / "python"


def _install(home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
    _call(sys.executable, "-m", "venv", str(home))
    _call(str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", _REQUIREMENT)
    (home / ".complete").touch()


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    if done.returncode != 0:
        raise BenchError(f"{_REQUIREMENT} cannot be installed:\n{done.stderr[-2000:]}")
