"""Finds leaks, files in an engine's folders that nothing owns; only for reports.

A folder counts only if nothing names it at two looks, before and after it is measured. Folders that are being made or
removed have changed lately, so the report leaves out young ones. When in doubt nothing is reported: people may delete a
folder that is called a leak.
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
"""The errors that damaged metadata, metadata of an unknown version, or a stopped engine may cause."""

_COLLECTING_SECONDS = 5
"""How long after a removal containerd may still collect garbage, and Docker may still release data."""

Look = Callable[[], Iterable[Unowned]]


class LeakReading(NamedTuple):
    """The leaks of an engine."""

    leaks: tuple[LeakedFolder, ...] = ()
    """Including young ones, which may be in the making."""
    warnings: tuple[ScanWarning, ...] = ()
    """What could not be looked for."""
    measured: tuple[MeasuredPlaces, ...] = ()
    """Places that need not be walked again to measure the engine's whole folder."""


def read_leaks(stores: Stores, storage: Storage, run_root: RunRoot, timeout_seconds: float) -> LeakReading:
    """Return the leaks in the folders of the engine with this storage; empty if the storage was not read from disk."""
    if storage.base != "disk":
        return LeakReading()
    walker = Walker(time.monotonic() + timeout_seconds, stores.mounts)
    leaks: list[LeakedFolder] = []
    in_use = _around_mounts(stores)
    try:
        for look, pause_seconds in _looks(stores, storage, run_root):
            leaks += [leak for leak in _twice(look, pause_seconds, walker) if leak.path not in in_use]
    except TooLateError:
        return leaks_not_in_time(timeout_seconds)
    except _UNEXPECTED as error:
        return LeakReading(warnings=(_warning(f"not looked for: {what_is_wrong(error)}"),))
    return LeakReading(tuple(leaks), measured=tuple(walker.measured))


def leaks_not_in_time(timeout_seconds: float) -> LeakReading:
    """Return the reading for a search that ran out of time."""
    return LeakReading(warnings=(_warning(f"not looked for within {timeout_seconds:g} seconds"),))


def _warning(text: str) -> ScanWarning:
    return ScanWarning(about=_ABOUT, text=text)


def _known(root: Path, storage: Storage) -> KnownFolders:
    return {os.path.join(root, part.folder) for part in storage.parts if part.folder is not None}


def _around_mounts(stores: Stores) -> Set[str]:
    """Return the bind-mount sources of containers and all mount points, with the folders above them: they are in use,
    whatever the metadata say."""
    sources = [
        mount.source for container in stores.listed.containers for mount in container.mounts if mount.type == "bind"
    ]
    places = [Path(place) for place in (*filter(None, sources), *stores.mounts)]
    return {str(around) for place in places for around in (place, *place.parents)}


def _looks(stores: Stores, storage: Storage, run_root: RunRoot) -> Iterator[tuple[Look, float]]:
    """Yield each search for leaks, with the pause before its second look."""
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
    """Yield what is unowned at both looks. A removal first forgets a folder and then empties it; one that was being
    emptied while it was measured has changed just now."""
    measured = [_measured(unowned, walker) for unowned in look()]
    if measured:
        time.sleep(max(0, min(pause_seconds, walker.deadline - time.monotonic())))
    again = {str(unowned.path): unowned for unowned in look()} if measured else {}
    for leak in measured:
        if leak is not None and (now := again.get(leak.path)) is not None and now.why == leak.why:
            yield leak


def _measured(unowned: Unowned, walker: Walker) -> LeakedFolder | None:
    """Return an unowned folder with its size; None if it is gone, or is a link, which no engine creates there."""
    itself = state_of(unowned.path, follow_links=False)
    if itself is None or stat.S_ISLNK(itself.st_mode):
        return None
    size = walker.measure((unowned.path,))
    changed = max(
        itself.st_ctime, size.changed_at or 0, unowned.lease_made_at.timestamp() if unowned.lease_made_at else 0
    )
    return LeakedFolder(
        kind=unowned.kind,
        path=str(unowned.path),
        size_bytes=size.low,
        changed_at=datetime.fromtimestamp(int(changed), UTC),
        why=unowned.why,
        expired_at=unowned.expired_at,
        lease=unowned.lease,
    )
