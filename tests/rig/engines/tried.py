"""Which tests of the rig itself have passed with the rig as it is now: on most engines once is enough."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from pathlib import Path

from tests.rig.engines.roots import CACHE

_RIG = Path(__file__).parents[1]


def has_passed(test: str) -> bool:
    """Whether a test, by its id, has passed on this machine since the rig was changed last."""
    return _note(test).exists()


def note_passed(test: str) -> None:
    """Remember that it has."""
    _note(test).parent.mkdir(parents=True, exist_ok=True)
    _note(test).touch()


def _note(test: str) -> Path:
    return CACHE / "tried" / _rig() / hashlib.sha256(test.encode()).hexdigest()[:16]


@cache
def _rig() -> str:
    """Name the rig by what an engine of the tests is made with: these files, the tests of them, and the kernel."""
    digest = hashlib.sha256(platform.release().encode())
    own = [path for path in (_RIG / "engines").iterdir() if path.suffix in (".py", ".sh")]
    for path in sorted([*own, _RIG / "recorder.py", *_RIG.glob("test_engine*.py"), _RIG / "test_traffic.py"]):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]
