"""The disks that something of an engine lies on, and how full they are."""

import os
from pathlib import Path

from dockersweep.engine.disk.mounts import as_text, file_system_of
from dockersweep.engine.disk.ownership import ListedObjects, own_folder
from dockersweep.engine.disk.parts import UnreadableStorageError
from dockersweep.engine.disk.stores import (
    SYSTEM_CONTAINERD,
    StorePlace,
    are_unseen,
    find_stores,
    has_unseen_images,
)
from dockersweep.model.disk import Disk
from dockersweep.model.inventory import Engine, Kind
from dockersweep.model.quantities import LARGEST

KINDS_OF_CONTAINERD: tuple[Kind, ...] = ("container", "image", "build-cache")
"""What has a part in containerd's folder, where that is the image store."""


def read_disks(engine: Engine, listed: ListedObjects, system_containerd: Path = SYSTEM_CONTAINERD) -> tuple[Disk, ...]:
    """Return the disks of an engine, that of its own folder first; none where they cannot be told from here: the engine
    is on another machine, or its folder is not there, not readable, or not of the engine that listed these objects."""
    try:
        places = find_stores(engine, listed, system_containerd)
        disks = [_measured(together) for together in by_disk(places)]
    except (UnreadableStorageError, OSError):
        return ()
    # Without its first nothing would say which is which.
    return tuple(disk for disk in disks if disk is not None) if disks and disks[0] is not None else ()


def read_unseen_kinds(
    engine: Engine, listed: ListedObjects, system_containerd: Path = SYSTEM_CONTAINERD
) -> tuple[Kind, ...]:
    """Return the kinds of which something lies where it cannot be found, so that none of the engine's disks can be said
    to be theirs."""
    try:
        root = own_folder(engine, listed)
        images = KINDS_OF_CONTAINERD if has_unseen_images(engine, root, listed, system_containerd) else ()
        volumes: tuple[Kind, ...] = ("volume",) if are_unseen(listed.volumes) else ()
        return images + volumes
    except (UnreadableStorageError, OSError):
        # Then no disk is known either.
        return ()


def by_disk(places: list[StorePlace]) -> list[list[StorePlace]]:
    """Return the places that lie on one disk together, in the order in which disks come first."""
    found: dict[object, list[StorePlace]] = {}
    for place in places:
        found.setdefault(file_system_of(place.device, place.mount), []).append(place)
    return list(found.values())


def _measured(places: list[StorePlace]) -> Disk | None:
    told = os.statvfs(places[0].real)
    if told.f_blocks == 0:
        return None
    mount = places[0].mount
    return Disk(
        total_bytes=_sized(told.f_blocks, told),
        free_bytes=_sized(told.f_bavail, told),
        total_inodes=told.f_files or None,
        free_inodes=told.f_favail if told.f_files else None,
        used_bytes=_sized(told.f_blocks - told.f_bfree, told),
        device=None if mount is None else as_text(mount.device),
        mount_point=None if mount is None else as_text(mount.point),
        places=tuple(place.path for place in places),
    )


def _sized(blocks: int, told: os.statvfs_result) -> int:
    """Return how many bytes blocks are. File systems in user space, like s3fs, may have more of them than any disk, or
    more that are free than there are."""
    return min(max(0, blocks) * told.f_frsize, LARGEST)
