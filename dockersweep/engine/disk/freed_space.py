"""Measures what removals freed on the engine's disk: which parts are gone, and how much its free space grew."""

import contextlib
import os
import stat
import time
from collections.abc import Collection
from pathlib import Path

from msgspec import Struct

from dockersweep.engine.disk.freed_later import await_free_space
from dockersweep.engine.disk.mounts import file_system_of, mount_of, read_mounts
from dockersweep.engine.disk.walk import TooLateError, measure
from dockersweep.files import is_there, state_of
from dockersweep.model.inventory import Engine
from dockersweep.model.outcome import DiskMeasurement
from dockersweep.model.plan import Plan
from dockersweep.model.storage import Storage

_LONGEST_WAIT_SECONDS = 15.0
_QUIET_SECONDS = 1.0
_POLL_SECONDS = 0.05
_REMEASURING_SECONDS = 60.0


class _Volumes(Struct, frozen=True):
    """The volumes to remove, measured again: they may have been written to since the scan, and hard links between them
    are freed only with both."""

    ids: frozenset[str]
    bytes: int | None


class FreedSpaceMeter:
    """Compares the disk before and after removals: create it before them, call `measure` after them. Read-only; raises
    OSError where the engine's folder is gone."""

    def __init__(self, root: Path, storage: Storage, plan: Plan) -> None:
        folders = {part.id: os.path.join(root, part.folder) for part in storage.parts if part.folder is not None}
        self._folders = {part: folder for part, folder in folders.items() if _is_there(folder)}
        self._volumes = self._measure_volumes({f"{removal.kind}:{removal.id}" for removal in plan.removals})
        # Volumes, or containerd if it is a separate service, may be on another disk.
        places = {os.path.dirname(folder) for folder in self._folders.values()}
        states = {place: state for place in (str(root), *places) if (state := state_of(place))}
        mounts = read_mounts()
        self._disks = {
            file_system_of(state.st_dev, mount_of(os.path.realpath(place), mounts)): place
            for place, state in states.items()
            if stat.S_ISDIR(state.st_mode)
        }
        self._free_before = self._free_bytes()

    def measure(self, expected: Collection[str]) -> DiskMeasurement:
        """Return what is gone; waits a while for the `expected` parts, as containerd collects garbage later."""
        waiting = self._folders.keys() & expected
        others = self._folders.keys() - waiting
        gone: set[str] = set()
        deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
        quiet_until = time.monotonic() + _QUIET_SECONDS
        while True:
            went = self._gone_of(waiting)
            now = time.monotonic()
            if went:
                quiet_until = now + _QUIET_SECONDS
            gone |= went
            waiting -= went
            if not waiting or now > min(deadline, quiet_until):
                break
            time.sleep(_POLL_SECONDS)
        gone |= self._gone_of(others)
        if gone:
            await_free_space(self._disks.values())
        all_volumes = self._volumes.ids if self._volumes.ids <= gone else frozenset()
        return DiskMeasurement(
            gone=frozenset(gone),
            still_there=frozenset(waiting),
            volumes=all_volumes,
            volume_bytes=self._volumes.bytes if all_volumes else None,
            free_space_bytes=self._free_growth(),
        )

    def _measure_volumes(self, going: Collection[str]) -> _Volumes:
        volumes = [part for part in self._folders if part in going and part.startswith("volume:")]
        places = [Path(self._folders[part]) for part in volumes]
        try:
            together = measure(places, time.monotonic() + _REMEASURING_SECONDS, read_mounts()).low
        except (OSError, TooLateError):
            return _Volumes(frozenset(), None)
        return _Volumes(frozenset(volumes), together)

    def _gone_of(self, parts: Collection[str]) -> set[str]:
        return {part for part in parts if not _is_there(self._folders[part])}

    def _free_growth(self) -> int | None:
        with contextlib.suppress(OSError):
            return self._free_bytes() - self._free_before
        return None

    def _free_bytes(self) -> int:
        disks = [os.statvfs(place) for place in self._disks.values()]
        return sum(disk.f_bfree * disk.f_frsize for disk in disks)


def _is_there(folder: str) -> bool:
    try:
        return is_there(folder)
    except OSError:
        # Not visible does not mean gone.
        return True


def freed_space_meter(engine: Engine, storage: Storage | None, plan: Plan) -> FreedSpaceMeter | None:
    """Return a meter of an engine's disk; None if the storage is not in disk blocks or the disk is gone."""
    if storage is None or storage.base != "disk" or engine.root_dir is None:
        return None
    try:
        return FreedSpaceMeter(Path(engine.root_dir), storage, plan)
    except OSError:
        return None
