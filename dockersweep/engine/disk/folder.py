"""What an engine's folders take, disk by disk, and what in them no engine uses any more: only a report asks."""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from dockersweep.engine.disk.disks import by_disk
from dockersweep.engine.disk.mounts import Mount, read_mounts
from dockersweep.engine.disk.ownership import ForeignFolderError, ListedObjects
from dockersweep.engine.disk.parts import UnreadableStorageError
from dockersweep.engine.disk.stores import StorePlace, find_stores
from dockersweep.engine.disk.walk import TooLateError, measure
from dockersweep.model.engine_folder import EngineFolder, FolderOnDisk, LeftStore
from dockersweep.model.inventory import Engine, ScanWarning
from dockersweep.model.quantities import known_sum

_ABOUT = "the engine's folder"
_DRIVERS = ("overlay2", "overlay", "aufs", "devicemapper", "btrfs", "zfs", "vfs", "fuse-overlayfs")
"""Those that Docker has or had: each keeps its layers in a folder of its name."""

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
        left_stores = tuple(_left_stores(engine, Path(places[0].path), deadline, mounts))
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


def _left_stores(engine: Engine, root: Path, deadline: float, mounts: Mapping[str, Mount]) -> Iterator[LeftStore]:
    """Podman keeps to the store that it began with, so only Docker leaves one behind.

    Each store tells of its images and containers below image/<driver>; an engine makes the empty folders of its own at
    every start, so that there must be a layer too.
    """
    if engine.flavour != "docker":
        return
    for driver in _DRIVERS:
        layers, metadata = root / driver, root / "image" / driver
        if driver != engine.image_store and _holds_layers(metadata):
            yield LeftStore(
                folder=str(layers), driver=driver, size_bytes=_size_of((layers, metadata), deadline, mounts)
            )
    # As a service of its own containerd may hold what is not the engine's; started by the engine it does not.
    snapshots = root / "containerd" / "daemon" / "io.containerd.snapshotter.v1.overlayfs"
    if engine.image_store != "containerd" and _has_entries(snapshots / "snapshots"):
        contents = snapshots.with_name("io.containerd.content.v1.content")
        yield LeftStore(
            folder=str(snapshots), driver="containerd", size_bytes=_size_of((snapshots, contents), deadline, mounts)
        )


def _holds_layers(metadata: Path) -> bool:
    return _has_entries(metadata / "layerdb" / "sha256") or _has_entries(metadata / "layerdb" / "mounts")


def _has_entries(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except (FileNotFoundError, NotADirectoryError):
        return False


def _size_of(places: tuple[Path, ...], deadline: float, mounts: Mapping[str, Mount]) -> int | None:
    try:
        return measure(places, deadline, mounts).high
    except (TooLateError, OSError):
        return None
