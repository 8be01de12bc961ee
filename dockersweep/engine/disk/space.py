"""How full the disk is that the engine's own folder lies on."""

import os
from pathlib import Path

from dockersweep.engine.disk.found import Listed, UnreadableStorageError
from dockersweep.engine.disk.ownership import check_names, folder_of
from dockersweep.model.inventory import Disk, Engine


def disk_of(engine: Engine, listed: Listed) -> Disk | None:
    """Return how full the engine's disk is, None where that cannot be told from here: the engine is on another
    machine, or its folder is not there, not readable, or not of the engine that listed these objects."""
    try:
        root = folder_of(engine)
        check_names(engine, root, listed)
        return _measured(root)
    except (UnreadableStorageError, OSError):
        return None


def _measured(root: Path) -> Disk | None:
    told = os.statvfs(root)
    if told.f_blocks == 0:
        return None
    return Disk(
        total_bytes=told.f_blocks * told.f_frsize,
        free_bytes=told.f_bavail * told.f_frsize,
        total_inodes=told.f_files or None,
        free_inodes=told.f_favail if told.f_files else None,
    )
