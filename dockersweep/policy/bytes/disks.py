"""Which disk each part of the storage lies on."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from dockersweep.model.disk import Disk, longest_place
from dockersweep.model.engine_folder import FolderOnDisk
from dockersweep.model.inventory import Inventory
from dockersweep.model.storage import Part


class Region(Struct, frozen=True):
    """The part of an engine's folders that lies on one disk."""

    places: tuple[str, ...]
    disk: Disk | None
    """None where it is not known how full it is."""
    folder: FolderOnDisk | None
    """None where the folders were not measured."""


def regions_of(inventory: Inventory) -> list[Region]:
    """Return the regions of an engine's storage, that of its main disk first; none where no disk was read."""
    folders = _folders(inventory)
    regions = []
    for disk in inventory.disks:
        # An inventory of an earlier version has one disk, without places.
        places = disk.places or (inventory.engine.root_dir or "/",)
        folder = next((folder for folder in folders if set(folder.places) & set(places)), None)
        regions.append(Region(places, disk, folder))
        folders = [other for other in folders if other is not folder]
    return [*regions, *(Region(folder.places, None, folder) for folder in folders)]


def _folders(inventory: Inventory) -> list[FolderOnDisk]:
    folder = inventory.folder
    if folder is None:
        return []
    # An inventory of an earlier version, or one not measured in time, has only the total of all disks.
    root = (inventory.engine.root_dir or "/",)
    return list(folder.on_disks) or [FolderOnDisk(places=root, size_bytes=folder.size_bytes)]


def regions_of_parts(parts: Sequence[Part], regions: Sequence[Region], root_dir: str | None) -> list[int | None]:
    """Return the index of each part's region; None for parts elsewhere, like those in Podman's additional stores.

    `root_dir` is the engine's own folder, to which relative folders of parts belong. Parts without a known folder
    count to the first region.
    """
    return _numbers(parts, [region.places for region in regions], root_dir)


def folders_of_parts(parts: Sequence[Part], folders: Sequence[str], root_dir: str | None) -> list[int | None]:
    """Return for each part the index of the deepest of these folders that contains it, like `regions_of_parts`."""
    return _numbers(parts, [(folder,) for folder in folders], root_dir)


def _numbers(parts: Sequence[Part], places: Sequence[Collection[str]], root_dir: str | None) -> list[int | None]:
    of_folders: dict[str, int | None] = {}
    numbers = []
    for part in parts:
        # All layers of a store share one parent folder.
        above, _, _ = (part.folder or "").rpartition("/")
        if above not in of_folders:
            of_folders[above] = (
                longest_place(above, places)
                if above.startswith("/")
                else longest_place(f"{root_dir}/{above}".rstrip("/"), places) or 0
            )
        numbers.append(of_folders[above])
    return numbers
