"""The disks that something of an engine lies on, and how full they are."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

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
"""Of which kinds something lies in the folders of an engine's own, besides that of its driver."""


class DisksReading(NamedTuple):
    """What an engine lies on."""

    disks: tuple[Disk, ...]
    """That of the engine's own folder first; none where that one is not known."""
    on_none: tuple[Kind, ...]
    """The kinds of which something lies on none of these, as far as is known."""


NO_DISKS = DisksReading((), ())


def read_disks(stores: Stores) -> DisksReading:
    """Return the disks of an engine. One that does not tell how full it is, as it does not answer or has no blocks of
    its own, is left out."""
    found = [(together, _measured(together)) for together in by_disk(stores.places)]
    # Without its first nothing would say which is which.
    if found[0][1] is None:
        return NO_DISKS
    unknown = {kind for together, disk in found if disk is None for kind in _kinds_in(together, stores)}
    return DisksReading(
        tuple(disk for _, disk in found if disk is not None),
        tuple(kind for kind in KINDS if kind in stores.unseen | unknown),
    )


def by_disk(places: Iterable[StorePlace]) -> list[list[StorePlace]]:
    """Return the places that lie on one disk together, in the order in which disks come first. One that does not answer
    is a disk by itself."""
    found: dict[object, list[StorePlace]] = {}
    for place in places:
        disk = place.path if place.device is None else file_system_of(place.device, place.mount)
        found.setdefault(disk, []).append(place)
    return list(found.values())


def _kinds_in(places: Iterable[StorePlace], stores: Stores) -> Iterator[Kind]:
    """Yield the kinds of which something lies in these places."""
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
    """Return the disk of these places; None where it does not tell how full it is."""
    try:
        told = os.statvfs(places[0].real)
    except OSError:
        return None
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
