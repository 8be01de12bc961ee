"""What is read of an engine's own folders, as a scan asks for it: find them once, then look."""

from __future__ import annotations

from collections.abc import Mapping

from dockersweep.engine.disk.blocks import DiskReading, read_storage_from_disk
from dockersweep.engine.disk.folder import FolderReading
from dockersweep.engine.disk.leaks import RunRoot
from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.engine.disk.stores import find_stores
from dockersweep.engine.disk.walk import MeasuredPlaces
from dockersweep.engine.reading.own_folders import disks_in_time, folder_in_time, leaks_in_time, stores_in_time
from dockersweep.model.disk import Disk
from dockersweep.model.engine_folder import LeakedFolder
from dockersweep.model.inventory import Engine, ScanWarning
from dockersweep.model.storage import Part, Storage

SECONDS = 60.0


def storage_on_disk(
    engine: Engine, listed: ListedObjects, known: Mapping[str, Part] | None = None, seconds: float = SECONDS
) -> DiskReading:
    """Return the storage in disk blocks; raises where the folder does not tell it."""
    return read_storage_from_disk(find_stores(engine, listed), known or {}, seconds)


def disks_of(engine: Engine, listed: ListedObjects) -> tuple[Disk, ...]:
    """Return the disks."""
    return disks_in_time(stores_in_time(engine, listed, SECONDS), SECONDS).disks


def folder_of(
    engine: Engine, listed: ListedObjects, seconds: float = SECONDS, measured: tuple[MeasuredPlaces, ...] = ()
) -> FolderReading:
    """Return what the folders take, for a report."""
    return folder_in_time(stores_in_time(engine, listed, SECONDS), measured, seconds)


def leaks_of(
    engine: Engine,
    listed: ListedObjects,
    storage: Storage,
    seconds: float = SECONDS,
    run_root: RunRoot = lambda: None,
) -> tuple[tuple[LeakedFolder, ...], tuple[ScanWarning, ...]]:
    """Return what nobody owns, and what could not be looked for."""
    return leaks_in_time(stores_in_time(engine, listed, SECONDS), storage, run_root, seconds)[:2]
