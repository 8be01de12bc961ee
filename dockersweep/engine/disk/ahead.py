"""Reads an engine's disk in separate processes while the engine lists its objects.

Parts found ahead are used only if nothing has changed since, and only objects that the engine lists later are judged.
Sizes count as of the time of the scan, like everything in a scan.
"""

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from dockersweep.engine.disk.mounts import read_mounts
from dockersweep.engine.disk.own_process import OwnProcess
from dockersweep.engine.disk.parts import VOLUME, DiskPart, UnreadableStorageError
from dockersweep.engine.disk.walk import DiskBytes, TooLateError, Walker
from dockersweep.model.inventory import Engine

FEW = 50
"""Up to this many containers and volumes are read faster than processes are started."""
_SETTLED_SECONDS = 1.0
"""A file that changed less than this ago may change again with the same time stamp: file system clocks tick."""

Mark = tuple[int, int, int] | None
"""Inode, time and size of a file or folder, which change with it; None where it does not exist."""


class ReadAhead(msgspec.Struct, frozen=True):
    """What was read from an engine's disk."""

    parts: tuple[DiskPart, ...] = ()
    """All parts but volumes; empty if they were not found."""
    marks: Mapping[str, Mark] | None = None
    """Path -> mark of the folders and files that the parts depend on; None if they were not found or had just
    changed."""
    folder: str = ""
    """The engine's folder, in which its volumes were measured."""
    sizes: Mapping[str, DiskBytes] = msgspec.field(default_factory=dict)
    """Part id -> measured size, for parts and volumes, without their lower parts."""

    def has_all(self) -> bool:
        """Return whether a search now would still find the same parts."""
        return self.marks is not None and all(_mark(path) == mark for path, mark in self.marks.items())

    def places(self) -> dict[str, tuple[str, ...]]:
        """Return the places where each part was measured, by part id."""
        return {part.id: part.places for part in chain(with_lower(self.parts), _volumes(self.folder, self.sizes))}


def with_lower(parts: Iterable[DiskPart]) -> Iterator[DiskPart]:
    """Yield the parts and their lower parts."""
    for part in parts:
        yield part
        if part.lower is not None:
            yield part.lower


def is_worth_it(engine: Engine) -> bool:
    """Return whether the folder of an engine on this machine has so many objects that processes are worth it."""
    count = 0
    for name in ("containers", "overlay-containers", "volumes"):
        try:
            count += len(os.listdir(f"{engine.root_dir}/{name}"))
        except OSError:
            continue
    return count > FEW


class Ahead:
    """Reads the folder of an engine on this machine: one process for its volumes, one for everything else."""

    def __init__(self, engine: Engine, known: Collection[str], seconds: float) -> None:
        """Start; `known` are the ids of layers that need not be measured. Raises OSError where no process can be
        started."""
        self._deadline = time.monotonic() + seconds
        with ExitStack() as stack:
            self._others = stack.enter_context(OwnProcess(lambda: _packed(read_parts(engine, known, self._deadline))))
            self._volumes = stack.enter_context(OwnProcess(lambda: _packed(read_volumes(engine, self._deadline))))
            self._ending = stack.pop_all()

    def __enter__(self) -> Self:
        """End the processes at the end."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End them."""
        self._ending.close()

    def result(self, seconds: float) -> ReadAhead:
        """Return what the processes have read within `seconds`."""
        deadline = time.monotonic() + seconds
        others, volumes = (
            _result_of(process, deadline - time.monotonic()) for process in (self._others, self._volumes)
        )
        return together(others, volumes)


def together(others: ReadAhead, volumes: ReadAhead) -> ReadAhead:
    """Combine the readings of both processes."""
    return msgspec.structs.replace(others, folder=volumes.folder, sizes={**others.sizes, **volumes.sizes})


def _packed(reading: ReadAhead) -> bytes:
    return msgspec.msgpack.encode(reading)


def _result_of(process: OwnProcess, seconds: float) -> ReadAhead:
    try:
        return msgspec.msgpack.decode(process.result(seconds), type=ReadAhead)
    except (TimeoutError, msgspec.MsgspecError):
        return ReadAhead()


def read_volumes(engine: Engine, deadline: float) -> ReadAhead:
    """Return the sizes of volumes in the usual place; those not measured by the deadline are left out."""
    root = engine.root_dir or ""
    sizes = dict(_measured(_volumes(root, _ids_of_volumes(root)), Walker(deadline, read_mounts())))
    return ReadAhead(folder=root, sizes=sizes)


def read_parts(engine: Engine, known: Collection[str], deadline: float) -> ReadAhead:
    """Return the parts other than volumes, with their sizes as far as measured by the deadline."""
    root = Path(engine.root_dir or "")
    parts: tuple[DiskPart, ...] = ()
    marks: Mapping[str, Mark] | None = None
    try:
        watched, find = _finder(engine, root)
        marks = _settled({path: _mark(path) for path in watched})
        parts = tuple(find())
    except (OSError, ValueError, UnreadableStorageError, msgspec.MsgspecError):
        marks = None
    wanted = (part for part in with_lower(parts) if part.places and not (part.never_changes and part.id in known))
    return ReadAhead(parts, marks, sizes=dict(_measured(wanted, Walker(deadline, read_mounts()))))


def _finder(engine: Engine, root: Path) -> tuple[Iterable[str], Callable[[], Iterable[DiskPart]]]:
    """Return the paths that parts depend on, and the function that finds parts. Raises UnreadableStorageError where
    they cannot be found ahead."""
    if engine.flavour == "podman":
        from dockersweep.engine.disk import podman

        return podman.watched_paths(root), lambda: podman.find_parts(root, root, engine.image_store)
    if engine.image_store == "containerd":
        raise UnreadableStorageError("which folder of a containerd it is follows from what is listed")
    from dockersweep.engine.disk import graphdriver

    watched = graphdriver.watched_paths(root, engine.image_store)
    return watched, lambda: graphdriver.find_parts(root, engine.image_store, ())


def _ids_of_volumes(root: str) -> list[str]:
    try:
        return [f"{VOLUME}{name}" for name in os.listdir(f"{root}/volumes")]
    except OSError:
        return []


def _volumes(root: str, ids: Iterable[str]) -> Iterator[DiskPart]:
    """Yield the volumes among the ids as parts in the usual place."""
    for part_id in ids:
        if part_id.startswith(VOLUME):
            folder = f"{root}/volumes/{part_id.removeprefix(VOLUME)}"
            yield DiskPart(id=part_id, places=(folder,), counted=f"{folder}/_data")


def _measured(parts: Iterable[DiskPart], walker: Walker) -> Iterator[tuple[str, DiskBytes]]:
    for part in parts:
        if time.monotonic() > walker.deadline:
            return
        try:
            yield part.id, walker.measure(part.places, part.counted)
        except (TooLateError, OSError):
            continue


def _mark(path: str) -> Mark:
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_ino, state.st_mtime_ns, state.st_size


def _settled(marks: Mapping[str, Mark]) -> Mapping[str, Mark] | None:
    latest = max((mark[1] for mark in marks.values() if mark is not None), default=0)
    return marks if latest < time.time_ns() - _SETTLED_SECONDS * 10**9 else None
