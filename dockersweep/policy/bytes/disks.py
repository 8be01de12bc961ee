"""Which disk each part of the storage lies on."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from dockersweep.model.disk import Disk, longest_place
from dockersweep.model.engine_folder import FolderOnDisk
from dockersweep.model.inventory import Inventory
from dockersweep.model.storage import Part


class Region(Struct, frozen=True):
    """What of an engine's folders lies on one disk."""

    places: tuple[str, ...]
    disk: Disk | None
    """None where it cannot be told how full it is."""
    folder: FolderOnDisk | None
    """None where the folders were not measured."""


def regions_of(inventory: Inventory) -> list[Region]:
    """Return the regions of an engine's storage, that of its main disk first; none where nothing was read of it."""
    folders = _folders(inventory)
    regions = []
    for disk in inventory.disks:
        # What an earlier version wrote has one disk, without places.
        places = disk.places or (inventory.engine.root_dir or "/",)
        folder = next((one for one in folders if set(one.places) & set(places)), None)
        regions.append(Region(places, disk, folder))
        folders = [one for one in folders if one is not folder]
    return [*regions, *(Region(one.places, None, one) for one in folders)]


def _folders(inventory: Inventory) -> list[FolderOnDisk]:
    folder = inventory.folder
    if folder is None:
        return []
    # What an earlier version wrote, and what was not measured in time, is not told disk by disk.
    root = (inventory.engine.root_dir or "/",)
    return list(folder.on_disks) or [FolderOnDisk(places=root, size_bytes=folder.size_bytes)]


def regions_of_parts(parts: Sequence[Part], regions: Sequence[Region], root_dir: str | None) -> list[int | None]:
    """Return for each part the number of its region; None of what lies elsewhere, like Podman's additional stores.

    `root_dir` is the engine's own folder, below which parts lie that have no whole path. What has no folder that is
    known counts to the first region.
    """
    return _numbers(parts, [region.places for region in regions], root_dir)


def folders_of_parts(parts: Sequence[Part], folders: Sequence[str], root_dir: str | None) -> list[int | None]:
    """Return for each part the number of the deepest of these folders that it lies in, as `regions_of_parts`."""
    return _numbers(parts, [(folder,) for folder in folders], root_dir)


def _numbers(parts: Sequence[Part], places: Sequence[Collection[str]], root_dir: str | None) -> list[int | None]:
    of_folders: dict[str, int | None] = {}
    found = []
    for part in parts:
        # All layers of a store have one folder above them.
        above, _, _ = (part.folder or "").rpartition("/")
        if above not in of_folders:
            of_folders[above] = (
                longest_place(above, places)
                if above.startswith("/")
                else longest_place(f"{root_dir}/{above}".rstrip("/"), places) or 0
            )
        found.append(of_folders[above])
    return found
