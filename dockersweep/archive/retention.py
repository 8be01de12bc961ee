"""Which runs go from the archive, and when: those whose time is over, and the oldest where it is too large."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec import Struct

from dockersweep.archive.deleting import delete_run, is_in_use, tidy
from dockersweep.archive.lock import locked, was_begun
from dockersweep.archive.paths import cannot, is_run_name
from dockersweep.archive.run_reader import read_archive
from dockersweep.archive.sizes import taken_by
from dockersweep.errors import ArchiveError
from dockersweep.files import what_is_wrong
from dockersweep.model.archive import Archive
from dockersweep.model.recovery import EarlyDeletion


class StoredRun(Struct, frozen=True, kw_only=True):
    """A run as it lies in the archive."""

    name: str
    """The name of its folder."""
    size_bytes: int
    """What it takes of the disk."""
    archive: Archive | None = None
    """None where it cannot be read, or was not begun in full."""
    problem: str | None = None
    """Why it cannot be read."""


class Deletion(Struct, frozen=True, kw_only=True):
    """What became of a run that was to go."""

    run: StoredRun
    problem: str | None = None
    """Why it is still there."""


def run_names(path: str) -> tuple[str, ...]:
    """Return the names of the folders of all runs in an archive, the oldest first. Raises ArchiveError."""
    try:
        return tuple(sorted(name for name in os.listdir(path) if is_run_name(name)))
    except OSError as error:
        raise cannot("read", path, error) from None


def stored_runs(path: str) -> tuple[StoredRun, ...]:
    """Return all runs of an archive, the oldest first, also those that cannot be read. Raises ArchiveError."""
    return tuple(_stored(path, name) for name in run_names(path))


def _stored(path: str, name: str) -> StoredRun:
    size_bytes = 0
    try:
        size_bytes = taken_by(f"{path}/{name}")
        folder = os.open(f"{path}/{name}", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if not os.listdir(folder):
                # Begun this moment, or killed in that.
                return StoredRun(name=name, size_bytes=size_bytes)
            return StoredRun(name=name, size_bytes=size_bytes, archive=read_archive(folder, f"{path}/{name}"))
        finally:
            os.close(folder)
    except OSError as error:
        return StoredRun(name=name, size_bytes=size_bytes, problem=f"it cannot be read: {what_is_wrong(error)}")
    except ArchiveError as error:
        return StoredRun(name=name, size_bytes=size_bytes, problem=str(error))


def to_prune(runs: Sequence[StoredRun], now: datetime, max_bytes: int | None) -> tuple[StoredRun, ...]:
    """Return the runs that retention deletes: those whose time is over, then the oldest ones as long as the archive is
    larger than it may be. What cannot be read stays, and so does what was archived last."""
    gone = [run for run in runs if run.archive is not None and run.archive.until <= now]
    kept = [run for run in runs if run not in gone]
    taken = sum(run.size_bytes for run in kept)
    for run in kept[:-1]:
        if max_bytes is None or taken <= max_bytes:
            break
        if run.archive is not None:
            gone.append(run)
            taken -= run.size_bytes
    return tuple(sorted(gone, key=lambda run: run.name))


def delete(path: str, runs: Sequence[StoredRun]) -> Iterator[Deletion]:
    """Delete runs from the archive in a folder; yield what became of each. Raises ArchiveError where it is locked for
    long."""
    for run in runs:
        with locked(path):
            try:
                delete_run(f"{path}/{run.name}")
                yield Deletion(run=run)
            except ArchiveError as error:
                yield Deletion(run=run, problem=str(error))


def prune(path: str, now: datetime, max_bytes: int | None) -> tuple[Deletion, ...]:
    """Delete from the archive in a folder what retention deletes, and what killed runs left half done. Raises
    ArchiveError, for a run that is spoiled once all others are dealt with."""
    if not (run_names(path) or was_begun(path)):
        # Where a disk is to be mounted: a lock there would look like an archive.
        return ()
    spoiled: ArchiveError | None = None
    with locked(path):
        try:
            tidy(path)
        except ArchiveError as error:
            spoiled = error
    deletions = tuple(delete(path, to_prune(stored_runs(path), now, max_bytes)))
    if spoiled is not None:
        raise spoiled
    return deletions


def make_room(path: str, own: str, max_bytes: int) -> tuple[bool, tuple[StoredRun, ...]]:
    """Delete the oldest runs but one, `own`, until the archive in a folder is no larger than it may be; return whether
    it is, and what was deleted. Where that cannot be reached none is deleted. Raises ArchiveError where it is locked
    for long, and OSError."""
    deleted: list[StoredRun] = []
    with locked(path):
        taken = taken_by(path)
        others = [_stored(path, name) for name in run_names(path) if name != own]
        may_go = [run for run in others if run.archive is not None and not is_in_use(f"{path}/{run.name}")]
        if taken - sum(run.size_bytes for run in may_go) > max_bytes:
            return False, ()
        for run in may_go:
            if taken <= max_bytes:
                break
            try:
                delete_run(f"{path}/{run.name}")
            except ArchiveError:
                # In use since then, or something else is in it: the next one then.
                continue
            taken -= run.size_bytes
            deleted.append(run)
        return taken <= max_bytes, tuple(deleted)


def early_deletion(run: StoredRun, now: datetime) -> EarlyDeletion | None:
    """Return a run that is deleted as one that goes before its time; None where it does not."""
    if run.archive is None or run.archive.until <= now:
        return None
    objects = Counter(one.kind for one in run.archive.objects)
    return EarlyDeletion(folder=run.name, run=run.archive.run, objects=dict(objects), until=run.archive.until)
