"""Where an engine keeps its things: its own folder, stores elsewhere, and the file systems mounted in both."""

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
"""Where containerd keeps its data if it is not started by the engine itself, but as a service of its own."""
KINDS_OF_CONTAINERD: tuple[Kind, ...] = ("container", "image", "build-cache")
"""What has a part in containerd's folder, where that is the image store."""
_CONTENTS = Path("io.containerd.content.v1.content") / "blobs"
_BY_MOUNTS_OF_THEIR_OWN = ("overlay", "nsfs", "proc", "sysfs", "mqueue", "fuse.fuse-overlayfs")
"""File systems that engines mount while something runs, and never for their data."""
_DEEP = ("containerd", "buildkit", "image", "vfs", "btrfs")
"""Folders of an engine whose stores lie one or two folders deeper."""
_DEEPEST = 3
_MOVED = ("buildkit", "containerd", "containers", "image", "overlay", "overlay2", "vfs", "volumes")
"""Folders of an engine that people move to a larger disk; most work as links too."""


class StorePlace(NamedTuple):
    """A folder of the engine that is not all of one below another: its own, a store elsewhere, or what is mounted in
    one of them."""

    path: str
    """As the engine names it, as text: bytes that are no UTF-8 are shown by their codes."""
    real: str
    """The same without links."""
    device: int | None
    """The number of the file system, as stat tells it; None where that does not answer, like a mount whose server has
    ended."""
    mount: Mount | None


class Stores(Struct, frozen=True):
    """Where the engine that listed these objects keeps its things, as it was found at one look."""

    engine: Engine
    listed: ListedObjects
    root: Path
    """The engine's own folder."""
    tells_its_engine: bool
    """Whether the engine's id is in that folder; where it is not, all must be there that is listed."""
    images_in: Path
    """The folder that Podman has its images in, mostly the same."""
    containerd: Path | None
    """The folder of the containerd that has the images; None where none has, or it was not found."""
    unseen: frozenset[Kind]
    """The kinds of which something lies where it was not found."""
    places: tuple[StorePlace, ...]
    """All folders of the engine, its own first."""
    mounts: Mapping[str, Mount]
    """All that is mounted on this machine, as `read_mounts` tells it."""


def find_stores(engine: Engine, listed: ListedObjects, system_containerd: Path = SYSTEM_CONTAINERD) -> Stores:
    """Return where the engine keeps its things.

    Raises UnreadableStorageError where the engine is elsewhere, or its folder is not there or not readable, and
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
            places=tuple(one for folder in folders for one in _places(folder, mounts)),
            mounts=mounts,
        )
    except OSError as error:
        raise UnreadableStorageError(f"{engine.root_dir} cannot be read: {what_is_wrong(error)}") from error


def _moved(root: Path, mounts: Mapping[str, Mount]) -> Iterator[Path]:
    """Yield the folders of an engine that a link leads to, or, where it is not told what is mounted, another disk."""
    real, own = os.path.realpath(root), os.stat(root).st_dev
    for folder in (root / name for name in _MOVED):
        is_link = os.path.realpath(folder) != f"{real}/{folder.name}"
        device = _device_of(folder)
        if device is not None and (is_link or (not mounts and device != own)) and is_folder(folder):
            yield folder


def _of_volumes_elsewhere(root: Path, volumes: Iterable[Volume]) -> list[Path]:
    """Return the folders of volumes outside of the engine's own: Podman's may be (volume_path in containers.conf)."""
    around = {os.path.dirname(folder) for volume in volumes if (folder := volume_folder(volume)) is not None}
    return sorted(one for one in map(Path, around) if root not in one.parents and is_seen(one))


def volume_folder(volume: Volume) -> str | None:
    """Return the folder around the files of a local volume; None of others."""
    place = volume.mountpoint or ""
    is_usual = volume.driver == "local" and place.endswith(f"/{volume.name}/_data")
    return place.removesuffix("/_data") if is_usual else None


def _folder_of_images(root: Path, listed: ListedObjects, system_containerd: Path) -> Path | None:
    """Return the folder of the containerd that has the images of an engine whose data lie in `root`: the engine's own,
    the usual one of a service, or, where neither has them, one that the settings of a containerd name. None where that
    cannot be told."""
    from dockersweep.engine.disk.containerd import containerd_folder, has_most_images
    from dockersweep.engine.disk.moved_stores import moved_containerds

    usual = containerd_folder(root, system_containerd)
    if usual is not None and _has_images(usual, listed):
        return usual
    ids = {image.id for image in listed.images}
    moved = (one for one in (moved_containerds() if ids else ()) if root not in one.parents)
    return next((one for one in moved if has_most_images(one, root, ids)), None)


def _has_images(containerd: Path, listed: ListedObjects) -> bool:
    missing = [image for image in listed.images if not is_seen(containerd / _CONTENTS / image.id.replace(":", "/"))]
    return not listed.images or len(missing) < len(listed.images) / 2


def _unseen(engine: Engine, listed: ListedObjects, containerd: Path | None) -> Iterator[Kind]:
    if engine.image_store == "containerd" and containerd is None:
        yield from KINDS_OF_CONTAINERD
    if _are_unseen(listed.volumes):
        yield "volume"


def _are_unseen(volumes: Iterable[Volume]) -> bool:
    """Whether most local volumes lie where they cannot be found, as in a container that has the engine's folder without
    the disk that is mounted in it."""
    folders = [folder for volume in volumes if (folder := volume_folder(volume)) is not None]
    if any(is_seen(f"{around}/metadata.db") for around in set(map(os.path.dirname, folders))):
        # Docker's, so that what is missing was removed by hand.
        return False
    # What has just gone may be missing.
    return 2 * sum(not is_seen(folder) for folder in folders) > len(folders)


def is_seen(path: AnyPath) -> bool:
    """Whether something has this path, and what it lies on answers."""
    try:
        return is_there(path)
    except OSError:
        return False


def _places(folder: Path, mounts: Mapping[str, Mount]) -> Iterator[StorePlace]:
    """Yield a folder, and what is mounted in it for the engine's data."""
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
    """Whether what is mounted below an engine's folder holds a store of it, and not what one container or volume
    mounts while it is in use."""
    if mount.kind in _BY_MOUNTS_OF_THEIR_OWN:
        return False
    return len(below) == 1 or (below[0] in _DEEP and len(below) <= _DEEPEST)
