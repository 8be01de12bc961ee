"""What lies on an engine's disk, read in processes of their own while the engine lists what it has.

Of what is found ahead nothing is believed that may have changed since, and only what the engine lists later is judged.
What is measured counts as it was while the scan went on, as all that a scan tells.
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
"""So few folders of containers and volumes are read sooner than processes are made."""
_SETTLED_SECONDS = 1.0
"""What changed less than that ago may change once more without showing it: clocks of file systems tick."""

Mark = tuple[int, int, int] | None
"""What changes with a file or folder: its number, its time and its size; None where it is not there."""


class ReadAhead(msgspec.Struct, frozen=True):
    """What was read of an engine's disk."""

    parts: tuple[DiskPart, ...] = ()
    """All but the volumes; none where they were not found."""
    marks: Mapping[str, Mark] | None = None
    """How the folders and files were, by their paths, in which these were found; None where they were not, or had just
    changed."""
    folder: str = ""
    """The engine's own, in which its volumes were measured."""
    sizes: Mapping[str, DiskBytes] = msgspec.field(default_factory=dict)
    """What parts and volumes take that were measured, by their ids, without their lower ones."""

    def has_all(self) -> bool:
        """Return whether the parts are still those that would be found now."""
        return self.marks is not None and all(_mark(path) == mark for path, mark in self.marks.items())

    def places(self) -> dict[str, tuple[str, ...]]:
        """Return where all of it was measured, by the ids of parts."""
        return {part.id: part.places for part in chain(with_lower(self.parts), _volumes(self.folder, self.sizes))}


def with_lower(parts: Iterable[DiskPart]) -> Iterator[DiskPart]:
    """Yield the parts, and those that go with one of them."""
    for part in parts:
        yield part
        if part.lower is not None:
            yield part.lower


def is_worth_it(engine: Engine) -> bool:
    """Return whether so much lies in the folder of an engine beside us that it is worth processes."""
    count = 0
    for name in ("containers", "overlay-containers", "volumes"):
        try:
            count += len(os.listdir(f"{engine.root_dir}/{name}"))
        except OSError:
            continue
    return count > FEW


class Ahead:
    """What reads the folder of an engine beside us: a process for its volumes, and one for all else."""

    def __init__(self, engine: Engine, known: Collection[str], seconds: float) -> None:
        """Begin; `known` are the ids of layers that need not be measured. Raises OSError where there is no process to
        be had."""
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

    def told(self, seconds: float) -> ReadAhead:
        """Return what they have read, without what is not to be had within so many seconds."""
        deadline = time.monotonic() + seconds
        others, volumes = (_told_by(one, deadline - time.monotonic()) for one in (self._others, self._volumes))
        return together(others, volumes)


def together(others: ReadAhead, volumes: ReadAhead) -> ReadAhead:
    """Return what was read of both."""
    return msgspec.structs.replace(others, folder=volumes.folder, sizes={**others.sizes, **volumes.sizes})


def _packed(told: ReadAhead) -> bytes:
    return msgspec.msgpack.encode(told)


def _told_by(process: OwnProcess, seconds: float) -> ReadAhead:
    try:
        return msgspec.msgpack.decode(process.result(seconds), type=ReadAhead)
    except (TimeoutError, msgspec.MsgspecError):
        return ReadAhead()


def read_volumes(engine: Engine, deadline: float) -> ReadAhead:
    """Return what the volumes take in the usual place; what is not measured by the deadline is left out."""
    root = engine.root_dir or ""
    sizes = dict(_measured(_volumes(root, _ids_of_volumes(root)), Walker(deadline, read_mounts())))
    return ReadAhead(folder=root, sizes=sizes)


def read_parts(engine: Engine, known: Collection[str], deadline: float) -> ReadAhead:
    """Return the same of all else, and what there is."""
    root = Path(engine.root_dir or "")
    parts: tuple[DiskPart, ...] = ()
    marks: Mapping[str, Mark] | None = None
    try:
        found_in, find = _finder(engine, root)
        marks = _settled({path: _mark(path) for path in found_in})
        parts = tuple(find())
    except (OSError, ValueError, UnreadableStorageError, msgspec.MsgspecError):
        marks = None
    wanted = (one for one in with_lower(parts) if one.places and not (one.never_changes and one.id in known))
    return ReadAhead(parts, marks, sizes=dict(_measured(wanted, Walker(deadline, read_mounts()))))


def _finder(engine: Engine, root: Path) -> tuple[Iterable[str], Callable[[], Iterable[DiskPart]]]:
    """Return where parts are found, and what finds them. Raises UnreadableStorageError where nothing does ahead."""
    if engine.flavour == "podman":
        from dockersweep.engine.disk import podman

        return podman.found_in(root), lambda: podman.find_parts(root, root, engine.image_store)
    if engine.image_store == "containerd":
        raise UnreadableStorageError("which folder of a containerd it is follows from what is listed")
    from dockersweep.engine.disk import graphdriver

    found_in = graphdriver.found_in(root, engine.image_store)
    return found_in, lambda: graphdriver.find_parts(root, engine.image_store, ())


def _ids_of_volumes(root: str) -> list[str]:
    try:
        return [f"{VOLUME}{name}" for name in os.listdir(f"{root}/volumes")]
    except OSError:
        return []


def _volumes(root: str, ids: Iterable[str]) -> Iterator[DiskPart]:
    """Yield those of the ids that are volumes' as parts in the usual place."""
    for one in ids:
        if one.startswith(VOLUME):
            folder = f"{root}/volumes/{one.removeprefix(VOLUME)}"
            yield DiskPart(id=one, places=(folder,), counted=f"{folder}/_data")


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
