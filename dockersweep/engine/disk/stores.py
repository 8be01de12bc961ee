"""Finds where an engine keeps its data: its own folder, stores elsewhere, and file systems mounted in both."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from dockersweep.engine.disk.mounts import Mount, as_text, mount_of, read_mounts
from dockersweep.engine.disk.ownership import ListedObjects, own_folder
from dockersweep.engine.disk.parts import UnreadableStorageError
from dockersweep.files import AnyPath, is_folder, is_there, what_is_wrong
from dockersweep.model.inventory import Engine, Kind, Volume

SYSTEM_CONTAINERD = Path("/var/lib/containerd")
"""The data folder of a containerd that runs as a separate service."""
KINDS_OF_CONTAINERD: tuple[Kind, ...] = ("container", "image", "build-cache")
"""The kinds of objects with data in containerd's folder, if that is the image store."""
_CONTENTS = Path("io.containerd.content.v1.content") / "blobs"
_BY_MOUNTS_OF_THEIR_OWN = ("overlay", "nsfs", "proc", "sysfs", "mqueue", "fuse.fuse-overlayfs")
"""File systems that engines mount for running containers, never for their own data."""
_DEEP = ("containerd", "buildkit", "image", "vfs", "btrfs")
"""Folders of an engine with stores one or two levels deeper."""
_DEEPEST = 3
_MOVED = ("buildkit", "containerd", "containers", "image", "overlay", "overlay2", "vfs", "volumes")
"""Folders of an engine that people move to a larger disk; most of them also work as links."""


class StorePlace(NamedTuple):
    """A top folder of the engine's data: its own folder, a store elsewhere, or a mount in one of them."""

    path: str
    """The engine's name for it, as text, with bytes that are not UTF-8 escaped."""
    real: str
    """The same without links."""
    device: int | None
    """The device number from stat; None if the file system does not answer, like a mount whose server is gone."""
    mount: Mount | None


class Stores(Struct, frozen=True):
    """Where the engine that listed these objects keeps its data, found at one instant."""

    engine: Engine
    listed: ListedObjects
    root: Path
    """The engine's own folder."""
    tells_its_engine: bool
    """Whether that folder contains the engine's id; if not, it must contain everything that is listed."""
    images_in: Path
    """The folder with Podman's images, usually the same one."""
    containerd: Path | None
    """The folder of the containerd with the images; None if there is none, or it was not found."""
    unseen: frozenset[Kind]
    """The kinds of objects with data that was not found."""
    places: tuple[StorePlace, ...]
    """All folders of the engine, its own first."""
    mounts: Mapping[str, Mount]
    """All mounts of this machine, from `read_mounts`."""


def find_stores(engine: Engine, listed: ListedObjects, system_containerd: Path = SYSTEM_CONTAINERD) -> Stores:
    """Return where the engine keeps its data.

    Raises UnreadableStorageError where the engine is on another machine, or its folder is missing or unreadable, and
    ForeignFolderError where the folder is another engine's.
    """
    try:
        own = own_folder(engine, listed)
        root = own.path
        containerd = None
        if engine.image_store == "containerd":
            containerd = _folder_of_images(root, listed, system_containerd)
        mounts = read_mounts()
        folders = [root, *_moved(root, mounts)]
        if containerd is not None and root not in containerd.parents:
            folders.append(containerd)
        if root not in (own.images_in, *own.images_in.parents):
            folders.append(own.images_in)
        folders += _of_volumes_elsewhere(root, listed.volumes)
        return Stores(
            engine=engine,
            listed=listed,
            root=root,
            tells_its_engine=own.tells_its_engine,
            images_in=own.images_in,
            containerd=containerd,
            unseen=frozenset(_unseen(engine, listed, containerd)),
            places=tuple(place for folder in folders for place in _places(folder, mounts)),
            mounts=mounts,
        )
    except OSError as error:
        raise UnreadableStorageError(f"{engine.root_dir} cannot be read: {what_is_wrong(error)}") from error


def _moved(root: Path, mounts: Mapping[str, Mount]) -> Iterator[Path]:
    """Yield the folders of an engine that are behind links, or, where mounts are unknown, on another disk."""
    real, own = os.path.realpath(root), os.stat(root).st_dev
    for folder in (root / name for name in _MOVED):
        is_link = os.path.realpath(folder) != f"{real}/{folder.name}"
        device = _device_of(folder)
        if device is not None and (is_link or (not mounts and device != own)) and is_folder(folder):
            yield folder


def _of_volumes_elsewhere(root: Path, volumes: Iterable[Volume]) -> list[Path]:
    """Return the folders of volumes outside the engine's own folder: Podman's may be (volume_path in
    containers.conf)."""
    around = {os.path.dirname(folder) for volume in volumes if (folder := volume_folder(volume)) is not None}
    return sorted(folder for folder in map(Path, around) if root not in folder.parents and is_seen(folder))


def volume_folder(volume: Volume) -> str | None:
    """Return the folder of a local volume; None for other volumes."""
    place = volume.mountpoint or ""
    is_usual = volume.driver == "local" and place.endswith(f"/{volume.name}/_data")
    return place.removesuffix("/_data") if is_usual else None


def _folder_of_images(root: Path, listed: ListedObjects, system_containerd: Path) -> Path | None:
    """Return the folder of the containerd with the images of the engine in `root`: the engine's own, the usual one of a
    service, or if neither has them, one that the settings of a containerd name. None where it is not found."""
    from dockersweep.engine.disk.containerd import containerd_folder, has_most_images
    from dockersweep.engine.disk.moved_stores import moved_containerds

    usual = containerd_folder(root, system_containerd)
    if usual is not None and _has_images(usual, listed):
        return usual
    ids = {image.id for image in listed.images}
    moved = (folder for folder in (moved_containerds() if ids else ()) if root not in folder.parents)
    return next((folder for folder in moved if has_most_images(folder, root, ids)), None)


def _has_images(containerd: Path, listed: ListedObjects) -> bool:
    missing = [image for image in listed.images if not is_seen(containerd / _CONTENTS / image.id.replace(":", "/"))]
    return not listed.images or len(missing) < len(listed.images) / 2


def _unseen(engine: Engine, listed: ListedObjects, containerd: Path | None) -> Iterator[Kind]:
    if engine.image_store == "containerd" and containerd is None:
        yield from KINDS_OF_CONTAINERD
    if _are_unseen(listed.volumes):
        yield "volume"


def _are_unseen(volumes: Iterable[Volume]) -> bool:
    """Whether most local volumes cannot be found, as in a container that sees the engine's folder without the disk that
    is mounted in it."""
    folders = [folder for volume in volumes if (folder := volume_folder(volume)) is not None]
    if any(is_seen(f"{around}/metadata.db") for around in set(map(os.path.dirname, folders))):
        # Docker's database is there, so missing volumes were removed by hand.
        return False
    # Some may just have been removed.
    return 2 * sum(not is_seen(folder) for folder in folders) > len(folders)


def is_seen(path: AnyPath) -> bool:
    """Whether a path exists, and its file system answers."""
    try:
        return is_there(path)
    except OSError:
        return False


def _places(folder: Path, mounts: Mapping[str, Mount]) -> Iterator[StorePlace]:
    """Yield a folder, and the mounts in it that hold the engine's data."""
    real = os.path.realpath(folder)
    yield StorePlace(str(folder), real, os.stat(real).st_dev, mount_of(real, mounts))
    for mount in sorted(mounts.values()):
        below = mount.point.removeprefix(f"{real.rstrip('/')}/")
        if below != mount.point and _is_for_data(mount, below.split("/")):
            yield StorePlace(as_text(f"{folder}/{below}"), mount.point, _device_of(mount.point), mount)


def _device_of(place: str | Path) -> int | None:
    try:
        return os.stat(place).st_dev
    except OSError:
        return None


def _is_for_data(mount: Mount, below: list[str]) -> bool:
    """Whether a mount below an engine's folder holds one of its stores, and is not a container's or volume's mount
    while in use."""
    if mount.kind in _BY_MOUNTS_OF_THEIR_OWN:
        return False
    return len(below) == 1 or (below[0] in _DEEP and len(below) <= _DEEPEST)
