"""What really came back on the engine's disk: which parts are gone, and by how much its free space grew."""

import os
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from dockersweep.model.inventory import Engine
from dockersweep.model.storage import Part, Storage

_PATIENCE_SECONDS = 15.0
_QUIET_SECONDS = 1.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class DiskMeasurement:
    """What a sweep did to the disk."""

    gone: frozenset[str]
    """The ids of the parts that were there before and are no longer."""
    free_space_bytes: int | None
    """By how much the free space of the disk grew; None where it cannot be asked any more."""


class DiskGauge:
    """Made before the removals, asked after them. Only looks; raises OSError where the engine's folder is gone."""

    def __init__(self, root: Path, storage: Storage) -> None:
        self._root = root
        self._parts = [part for part in storage.parts if part.folder is not None and self._is_there(part)]
        # Where containerd is a service of its own, its folder may be on another disk.
        outside = {Path(part.folder).parent for part in self._parts if part.folder and part.folder.startswith("/")}
        self._disks = {place.stat().st_dev: place for place in (root, *outside) if place.is_dir()}
        self._free_before = self._free_bytes()

    def measure(self, expected: Collection[str]) -> DiskMeasurement:
        """Return what is gone; waits a while for what is expected to go, as containerd collects its garbage later."""
        waiting = [part for part in self._parts if part.id in expected]
        deadline = quiet_until = time.monotonic()
        deadline += _PATIENCE_SECONDS
        quiet_until += _QUIET_SECONDS
        while True:
            left = [part for part in waiting if self._is_there(part)]
            now = time.monotonic()
            if len(left) < len(waiting):
                quiet_until = now + _QUIET_SECONDS
            waiting = left
            if not waiting or now > min(deadline, quiet_until):
                break
            time.sleep(_POLL_SECONDS)
        gone = frozenset(part.id for part in self._parts if not self._is_there(part))
        try:
            return DiskMeasurement(gone, self._free_bytes() - self._free_before)
        except OSError:
            return DiskMeasurement(gone, None)

    def _free_bytes(self) -> int:
        told = [os.statvfs(place) for place in self._disks.values()]
        return sum(one.f_bfree * one.f_frsize for one in told)

    def _is_there(self, part: Part) -> bool:
        return os.path.lexists(self._root / (part.folder or ""))


def gauge_of(engine: Engine, storage: Storage | None) -> DiskGauge | None:
    """Return a gauge of an engine's disk; None where the storage is not in disk blocks or the disk no longer there."""
    if storage is None or storage.base != "disk" or engine.root_dir is None:
        return None
    try:
        return DiskGauge(Path(engine.root_dir), storage)
    except OSError:
        return None
