"""The disks that an engine uses, and how full they are."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from dockersweep.engine.disk.mounts import as_text, file_system_of
from dockersweep.engine.disk.stores import KINDS_OF_CONTAINERD, StorePlace, Stores
from dockersweep.model.disk import Disk
from dockersweep.model.inventory import KINDS, Kind
from dockersweep.model.quantities import LARGEST

_KINDS_BELOW: dict[str, tuple[Kind, ...]] = {
    "buildkit": ("build-cache",),
    "containers": ("container",),
    "overlay-containers": ("container",),
    "volumes": ("volume",),
    **dict.fromkeys(("image", "overlay-images", "overlay-layers"), KINDS_OF_CONTAINERD),
}
"""Folder of an engine -> the kinds of objects with data in it; the driver's folder is not among them."""


class DisksReading(NamedTuple):
    """The disks of an engine."""

    disks: tuple[Disk, ...]
    """The disk of the engine's own folder first; empty if that one is not known."""
    on_none: tuple[Kind, ...]
    """The kinds of objects that may have data on none of these disks."""


NO_DISKS = DisksReading((), ())


def read_disks(stores: Stores) -> DisksReading:
    """Return the disks of an engine, without those of unknown usage: they do not answer, or have no blocks of their
    own."""
    measured = [(together, _measured(together)) for together in by_disk(stores.places)]
    # The first must be the disk of the engine's own folder.
    if measured[0][1] is None:
        return NO_DISKS
    unknown = {kind for together, disk in measured if disk is None for kind in _kinds_in(together, stores)}
    return DisksReading(
        tuple(disk for _, disk in measured if disk is not None),
        tuple(kind for kind in KINDS if kind in stores.unseen | unknown),
    )


def by_disk(places: Iterable[StorePlace]) -> list[list[StorePlace]]:
    """Group places by disk, in order of their first places. A place that does not answer is a disk by itself."""
    by_file_system: dict[object, list[StorePlace]] = {}
    for place in places:
        disk = place.path if place.device is None else file_system_of(place.device, place.mount)
        by_file_system.setdefault(disk, []).append(place)
    return list(by_file_system.values())


def _kinds_in(places: Iterable[StorePlace], stores: Stores) -> Iterator[Kind]:
    """Yield the kinds of objects with data in these places."""
    of_driver = {stores.engine.image_store: KINDS_OF_CONTAINERD}
    for place in map(Path, (place.path for place in places)):
        if place.is_relative_to(stores.root):
            names = place.relative_to(stores.root).parts
            yield from (_KINDS_BELOW | of_driver).get(names[0], ()) if names else KINDS
        elif stores.containerd is not None and place.is_relative_to(stores.containerd):
            yield from KINDS_OF_CONTAINERD
        elif place.is_relative_to(stores.images_in):
            yield "image"
        else:
            yield "volume"


def _measured(places: list[StorePlace]) -> Disk | None:
    """Return the disk of these places; None if its usage is unknown."""
    mount = places[0].mount
    known = Disk(
        total_bytes=0,
        free_bytes=0,
        total_inodes=None,
        free_inodes=None,
        device=None if mount is None else as_text(mount.device),
        mount_point=None if mount is None else as_text(mount.point),
        places=tuple(place.path for place in places),
    )
    return measured_at(places[0].real, known)


def measured_at(path: str, known: Disk) -> Disk | None:
    """Return a known disk as full as it is now, by statvfs of a path on it; None if its usage is unknown."""
    try:
        stats = os.statvfs(path)
    except OSError:
        return None
    if stats.f_blocks == 0:
        return None
    return replace(
        known,
        total_bytes=_sized(stats.f_blocks, stats),
        free_bytes=_sized(stats.f_bavail, stats),
        total_inodes=stats.f_files or None,
        free_inodes=stats.f_favail if stats.f_files else None,
        used_bytes=_sized(stats.f_blocks - stats.f_bfree, stats),
    )


def _sized(blocks: int, stats: os.statvfs_result) -> int:
    """Return the bytes of blocks, within sane bounds: user-space file systems like s3fs may report more blocks than any
    disk has, or more free ones than there are."""
    return min(max(0, blocks) * stats.f_frsize, LARGEST)
