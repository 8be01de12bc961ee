"""The size of an engine's folders by disk, and what no engine uses in them; only for reports."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path

from dockersweep.engine.disk.artifacts import read_artifacts
from dockersweep.engine.disk.disks import by_disk
from dockersweep.engine.disk.left_stores import read_left_stores
from dockersweep.engine.disk.stores import StorePlace, Stores
from dockersweep.engine.disk.walk import MeasuredPlaces, TooLateError, Walker, measure
from dockersweep.files import what_is_wrong
from dockersweep.model.engine_folder import EngineFolder, FolderOnDisk, TopFolder
from dockersweep.model.inventory import ScanWarning
from dockersweep.model.quantities import known_sum

_ABOUT = "the engine's folder"
_BESIDE_THE_FOLDER = ("zfs",)
"""Drivers whose layers are file systems of their own, mounted in the engine's folder only while something uses them."""


_CONTENT = "/io.containerd.content.v1.content"
_OPENED = ("", "/buildkit", "/containerd", "/containerd/daemon", f"/containerd/daemon{_CONTENT}", _CONTENT)
"""Folders, below the engine's or containerd's, whose subfolders are listed one by one."""

FolderReading = tuple[EngineFolder | None, tuple[ScanWarning, ...]]


def read_folder(stores: Stores, timeout_seconds: float, measured: Iterable[MeasuredPlaces] = ()) -> FolderReading:
    """Return the size of an engine's folders, and warnings for what could not be read. Places in `measured` are not
    walked again."""
    walker = Walker(time.monotonic() + timeout_seconds, stores.mounts)
    engine, root = stores.engine, stores.root
    try:
        artifacts = read_artifacts(engine, root, walker)
        left_stores = tuple(read_left_stores(engine, root, walker))
        disks = by_disk(stores.places)
        known = _known([*measured, *walker.measured], disks)
        shows_layers = engine.image_store not in _BESIDE_THE_FOLDER
        on_disks = tuple(_on_disk(together, walker, known, _opened(stores), shows_layers) for together in disks)
    except TooLateError:
        return not_in_time(timeout_seconds)
    except OSError as error:
        return folder_not_read(f"{root} cannot be read: {what_is_wrong(error)}")
    size = known_sum(disk.size_bytes for disk in on_disks)
    folder = EngineFolder(size_bytes=size, left_stores=left_stores, artifacts=artifacts, on_disks=on_disks)
    unread = [
        _warning(f"not measured: {disk.places[0]} cannot be read") for disk in on_disks if disk.size_bytes is None
    ]
    return folder, tuple(unread)


def _on_disk(
    places: list[StorePlace], walker: Walker, known: Mapping[str, int], opened: Set[str], shows_layers: bool
) -> FolderOnDisk:
    """Measure the places on one disk, without mounts of other disks below them."""
    if places[0].device is None:
        return FolderOnDisk(places=(places[0].path,), size_bytes=None, is_whole=False)
    # A disk may be mounted twice: keep each folder once.
    folders = set({(place.device, os.stat(place.real).st_ino): place.real for place in places}.values())
    # A link may lead into another place, and is walked with that.
    within = {
        folder
        for folder in folders
        if folder not in walker.mounts and not folders.isdisjoint(map(str, Path(folder).parents))
    }
    size = measure([Path(folder) for folder in sorted(folders - within)], walker.deadline, walker.mounts, known, opened)
    return FolderOnDisk(
        places=tuple(place.path for place in places),
        size_bytes=size.high,
        is_whole=size.is_whole and shows_layers,
        tops=tuple(_tops(places, size.by_folder)),
    )


def _opened(stores: Stores) -> Set[str]:
    """Return the folders whose subfolders are listed one by one; where layers or volumes are, there are too many."""
    around = [place.real for place in stores.places if place.path in (str(stores.root), str(stores.containerd))]
    return {f"{place}{below}" for place in around for below in _OPENED}


def _tops(places: list[StorePlace], by_folder: Mapping[str, int]) -> Iterator[TopFolder]:
    """Yield the measured folders, by the engine's paths."""
    for real, size in by_folder.items():
        around = max(
            (place for place in places if f"{real}/".startswith(f"{place.real}/")), key=lambda place: len(place.real)
        )
        yield TopFolder(path=f"{around.path}{real.removeprefix(around.real)}", size_bytes=size)


def _known(measured: Iterable[MeasuredPlaces], disks: list[list[StorePlace]]) -> dict[str, int]:
    """Return path -> measured bytes, all bytes of a part at its first place. Parts on several disks are left out, as
    their distribution is not known."""
    if any(place.path != place.real for together in disks for place in together):
        return {}
    # Longest first, as one disk may be mounted below another's place.
    tops = sorted(((f"{place.path}/", number) for number, disk in enumerate(disks) for place in disk), reverse=True)
    known: dict[str, int] = {}
    for part in measured:
        places = [os.fspath(place) for place in part.places]
        if len({next((disk for top, disk in tops if place.startswith(top)), None) for place in places}) == 1:
            # A place may also have been measured by itself.
            for place in places:
                known.setdefault(place, part.size_bytes if place == places[0] else 0)
    return known


def not_in_time(timeout_seconds: float) -> FolderReading:
    """Return the reading for a measurement that ran out of time."""
    return EngineFolder(size_bytes=None), (_warning(f"not measured within {timeout_seconds:g} seconds"),)


def folder_not_read(why: str) -> FolderReading:
    """Return the reading for a folder that cannot be read."""
    return None, (_warning(f"not measured: {why}"),)


def _warning(text: str) -> ScanWarning:
    return ScanWarning(about=_ABOUT, text=text)
