"""The cgroups of one engine run: all of them below one name, so that they can be removed together."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path


def make(name: str) -> None:
    """Make the run's cgroup in the version 2 hierarchy, for engines that get a cgroup namespace."""
    (unified() / name).mkdir(exist_ok=True)


def remove(name: str, patience: float = 5.0) -> None:
    """Remove every cgroup of that name, on a machine of either layout, once its last process has gone."""
    deadline = time.monotonic() + patience
    thaw(name)
    while left := [place for place in _hierarchies() if not _removed(place / name)]:
        if time.monotonic() > deadline:
            raise OSError(f"cgroups {name} are still in use in {', '.join(map(str, left))}")
        time.sleep(0.02)


def thaw(name: str) -> None:
    """Thaw what is paused there: on the version 1 hierarchy a frozen process outlives even SIGKILL."""
    for place in _hierarchies():
        for state in _below(place / name, "freezer.state"):
            with contextlib.suppress(OSError):
                state.write_text("THAWED")


def _below(top: Path, name: str) -> list[Path]:
    """What is called so below a cgroup; others go while it is looked for, and are then looked for no more."""
    found: list[Path] = []
    for folder, folders, files in os.walk(top):
        found += [Path(folder, one) for one in (*folders, *files) if name in ("*", one)]
    return found


def present(name: str) -> list[Path]:
    """Where cgroups of that name are left."""
    return [place / name for place in _hierarchies() if (place / name).exists()]


def unified() -> Path:
    """Where the version 2 hierarchy is mounted."""
    for fields in _mounts():
        if fields[2] == "cgroup2":
            return Path(fields[1])
    raise OSError("no cgroup2 hierarchy is mounted")


def _hierarchies() -> list[Path]:
    return [Path(fields[1]) for fields in _mounts() if fields[2] in {"cgroup", "cgroup2"}]


def _mounts() -> list[list[str]]:
    return [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]


def _removed(top: Path) -> bool:
    # Only folders can be removed in a cgroup hierarchy, the deepest first; the files go with them.
    for folder in sorted((place for place in _below(top, "*") if place.is_dir()), reverse=True):
        with contextlib.suppress(OSError):
            folder.rmdir()
    with contextlib.suppress(OSError):
        top.rmdir()
    return not top.exists()
