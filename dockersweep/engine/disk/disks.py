"""The disks that something of an engine lies on, and how full they are."""

import os
from collections.abc import Iterable

from dockersweep.engine.disk.mounts import as_text, file_system_of
from dockersweep.engine.disk.stores import StorePlace, Stores
from dockersweep.model.disk import Disk
from dockersweep.model.quantities import LARGEST


def read_disks(stores: Stores) -> tuple[Disk, ...]:
    """Return the disks of an engine, that of its own folder first; none where they do not tell how full they are."""
    try:
        disks = [_measured(together) for together in by_disk(stores.places)]
    except OSError:
        return ()
    # Without its first nothing would say which is which.
    return tuple(disk for disk in disks if disk is not None) if disks[0] is not None else ()


def by_disk(places: Iterable[StorePlace]) -> list[list[StorePlace]]:
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
