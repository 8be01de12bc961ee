"""Finds what nobody owns in an engine's folders: only a report asks.

A folder counts only where it is named by nobody twice: before it is measured, and again after that. What is being made
has changed lately, and what is being removed has too; so what is young is for the report to leave out. In any doubt
there is nothing to tell: a folder that is called a leak may be moved away.
"""

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from dockersweep.engine.disk.bolt import BoltError
from dockersweep.engine.disk.leaks.containerd import unowned_contents
from dockersweep.engine.disk.leaks.docker_objects import unowned_containers, unowned_volumes
from dockersweep.engine.disk.leaks.graphdriver import unowned_layers
from dockersweep.engine.disk.leaks.image_mounts import forgotten_mounts
from dockersweep.engine.disk.leaks.podman import RunRoot, unowned_in_storage
from dockersweep.engine.disk.leaks.unowned import KnownFolders, Unowned
from dockersweep.engine.disk.stores import Stores
from dockersweep.engine.disk.walk import MeasuredPlaces, TooLateError, Walker
from dockersweep.errors import EngineError
from dockersweep.files import state_of, what_is_wrong
from dockersweep.model.engine_folder import LeakedFolder
from dockersweep.model.inventory import ScanWarning
from dockersweep.model.storage import Storage

_ABOUT = "what nobody owns"
_UNEXPECTED = (OSError, BoltError, msgspec.MsgspecError, ValueError, TypeError, LookupError, EngineError)
"""What metadata that are damaged, or of a version that is not known, may lead to, and an engine that has ended."""

_COLLECTING_SECONDS = 5
"""So long after a removal containerd may go on to collect what nothing keeps any more, and Docker may let go of it."""

Look = Callable[[], Iterable[Unowned]]


class LeakReading(NamedTuple):
    """What nobody owns."""

    leaks: tuple[LeakedFolder, ...] = ()
    """Young ones included, which may be in the making."""
    warnings: tuple[ScanWarning, ...] = ()
    """What could not be looked for."""
    measured: tuple[MeasuredPlaces, ...] = ()
    """What need not be walked again to measure all of the engine's folder."""


def read_leaks(stores: Stores, storage: Storage, run_root: RunRoot, timeout_seconds: float) -> LeakReading:
    """Return what nobody owns in the folders of the engine that has this storage; nothing where that was not read from
    disk."""
    if storage.base != "disk":
        return LeakReading()
    walker = Walker(time.monotonic() + timeout_seconds, stores.mounts)
    found: list[LeakedFolder] = []
    in_use = _around_mounts(stores)
    try:
        for look, pause_seconds in _looks(stores, storage, run_root):
            found += [one for one in _twice(look, pause_seconds, walker) if one.path not in in_use]
    except TooLateError:
        return leaks_not_in_time(timeout_seconds)
    except _UNEXPECTED as error:
        return LeakReading(warnings=(_warning(f"not looked for: {what_is_wrong(error)}"),))
    return LeakReading(tuple(found), measured=tuple(walker.measured))


def leaks_not_in_time(timeout_seconds: float) -> LeakReading:
    """Return what is told where there was no time for it."""
    return LeakReading(warnings=(_warning(f"not looked for within {timeout_seconds:g} seconds"),))


def _warning(text: str) -> ScanWarning:
    return ScanWarning(about=_ABOUT, text=text)


def _known(root: Path, storage: Storage) -> KnownFolders:
    return {os.path.join(root, part.folder) for part in storage.parts if part.folder is not None}


def _around_mounts(stores: Stores) -> Set[str]:
    """Return the folders in which a container mounts something from, by its path, or something is mounted: whoever
    does that uses them, whatever the metadata say."""
    sources = [one.source for container in stores.listed.containers for one in container.mounts if one.type == "bind"]
    places = [Path(place) for place in (*filter(None, sources), *stores.mounts)]
    return {str(around) for place in places for around in (place, *place.parents)}


def _looks(stores: Stores, storage: Storage, run_root: RunRoot) -> Iterator[tuple[Look, float]]:
    """Yield the ways to look for what nobody owns, each with how long to wait before it is looked at again."""
    engine, root, daemon, listed = stores.engine, stores.root, stores.containerd, stores.listed
    known = _known(root, storage)
    if engine.flavour == "podman":
        yield lambda: unowned_in_storage(root, engine.image_store, known, run_root), 0
        return
    if daemon is not None:
        yield lambda: unowned_contents(root, daemon, known), _COLLECTING_SECONDS
        yield lambda: forgotten_mounts(root, daemon, listed, storage), _COLLECTING_SECONDS
    else:
        yield lambda: unowned_layers(root, engine.image_store, known), 0
    yield lambda: unowned_volumes(root, listed), 0
    yield lambda: unowned_containers(engine, root, listed, storage), 0


def _twice(look: Look, pause_seconds: float, walker: Walker) -> Iterator[LeakedFolder]:
    """Yield what is unowned at both looks. A removal lets go of a folder first and then empties it, so that what was
    still being emptied when it was measured has changed a moment ago."""
    measured = [_measured(one, walker) for one in look()]
    if measured:
        time.sleep(max(0, min(pause_seconds, walker.deadline - time.monotonic())))
    again = {str(one.path): one for one in look()} if measured else {}
    for leak in measured:
        if leak is not None and (now := again.get(leak.path)) is not None and now.why == leak.why:
            yield leak


def _measured(one: Unowned, walker: Walker) -> LeakedFolder | None:
    """Return it with what it takes; None where it has gone, or is a link, which no engine puts there."""
    itself = state_of(one.path, follow_links=False)
    if itself is None or stat.S_ISLNK(itself.st_mode):
        return None
    size = walker.measure((one.path,))
    changed = max(itself.st_ctime, size.changed_at or 0, one.lease_made_at.timestamp() if one.lease_made_at else 0)
    return LeakedFolder(
        kind=one.kind,
        path=str(one.path),
        size_bytes=size.low,
        changed_at=datetime.fromtimestamp(int(changed), UTC),
        why=one.why,
        expired_at=one.expired_at,
        lease=one.lease,
    )
