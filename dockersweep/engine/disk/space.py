"""How full the disk is that the engine's own folder lies on."""

import os
from pathlib import Path

from dockersweep.engine.disk.ownership import ListedObjects, own_folder
from dockersweep.engine.disk.parts import UnreadableStorageError
from dockersweep.model.inventory import Disk, Engine


def disk_of(engine: Engine, listed: ListedObjects) -> Disk | None:
    """Return how full the engine's disk is, None where that cannot be told from here: the engine is on another
    machine, or its folder is not there, not readable, or not of the engine that listed these objects."""
    try:
        root = own_folder(engine, listed)
        return _measured(root)
    except (UnreadableStorageError, OSError):
        return None


def _measured(root: Path) -> Disk | None:
    disk = os.statvfs(root)
    if disk.f_blocks == 0:
        return None
    return Disk(
        total_bytes=disk.f_blocks * disk.f_frsize,
        free_bytes=disk.f_bavail * disk.f_frsize,
        total_inodes=disk.f_files or None,
        free_inodes=disk.f_favail if disk.f_files else None,
    )
