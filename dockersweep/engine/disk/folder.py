"""What an engine's folders take, disk by disk, and what in them no engine uses any more: only a report asks."""

import time
from collections.abc import Mapping
from pathlib import Path

from dockersweep.engine.disk.disks import by_disk
from dockersweep.engine.disk.left_stores import read_left_stores
from dockersweep.engine.disk.mounts import Mount, read_mounts
from dockersweep.engine.disk.ownership import ForeignFolderError, ListedObjects
from dockersweep.engine.disk.parts import UnreadableStorageError
from dockersweep.engine.disk.stores import StorePlace, find_stores
from dockersweep.engine.disk.walk import TooLateError, measure
from dockersweep.model.engine_folder import EngineFolder, FolderOnDisk
from dockersweep.model.inventory import Engine, ScanWarning
from dockersweep.model.quantities import known_sum

_ABOUT = "the engine's folder"
_BESIDE_THE_FOLDER = ("zfs",)
"""Drivers whose layers are file systems of their own, mounted in the engine's folder only while something uses them."""


FolderReading = tuple[EngineFolder | None, tuple[ScanWarning, ...]]


def read_folder(engine: Engine, listed: ListedObjects, timeout_seconds: float) -> FolderReading:
    """Return what an engine's folder takes, and what of it could not be read, as warnings.

    None where the engine is on another machine, or its folder is not there, not readable or not its own.
    """
    deadline = time.monotonic() + timeout_seconds
    try:
        places = find_stores(engine, listed)
        mounts = read_mounts()
        shows_layers = engine.image_store not in _BESIDE_THE_FOLDER
        on_disks = tuple(_on_disk(together, deadline, mounts, shows_layers) for together in by_disk(places))
        left_stores = tuple(read_left_stores(engine, Path(places[0].path), deadline, mounts))
    except ForeignFolderError:
        return None, (_warning(f"not measured: {engine.root_dir} does not hold what this engine lists"),)
    except UnreadableStorageError as error:
        return None, (_warning(f"not measured: {error}"),)
    except TooLateError:
        return not_in_time(timeout_seconds)
    except OSError as error:
        return None, (_warning(f"{engine.root_dir} cannot be read: {error.strerror or error}"),)
    size = known_sum(one.size_bytes for one in on_disks)
    return EngineFolder(size_bytes=size, left_stores=left_stores, on_disks=on_disks), ()


def _on_disk(
    places: list[StorePlace], deadline: float, mounts: Mapping[str, Mount], shows_layers: bool
) -> FolderOnDisk:
    """Measure what lies on one disk; what is mounted below on another is a place of that one."""
    size = measure([Path(place.real) for place in places], deadline, mounts)
    return FolderOnDisk(
        places=tuple(place.path for place in places), size_bytes=size.high, is_whole=size.is_whole and shows_layers
    )


def not_in_time(timeout_seconds: float) -> FolderReading:
    """Return what is told where there was no time for it."""
    return EngineFolder(size_bytes=None), (_warning(f"not measured within {timeout_seconds:g} seconds"),)


def _warning(text: str) -> ScanWarning:
    return ScanWarning(about=_ABOUT, text=text)
