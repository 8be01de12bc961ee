"""Decides whether a folder on this machine belongs to the connected engine; nothing else decides that.

The socket may be forwarded from another machine with the same path, and clones of a machine share the engine's id. So a
folder is trusted only if it contains what the engine lists.
"""

import os
import re
from collections.abc import Collection, Set
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from dockersweep.engine.disk.parts import UnreadableStorageError
from dockersweep.files import is_folder, read_inside
from dockersweep.model.inventory import BuildCacheRecord, Container, Engine, Image, Volume

_ID = re.compile(r"[0-9a-f]{64}")
_LARGEST_ID_BYTES = 256


class ForeignFolderError(UnreadableStorageError):
    """The folder is not that of the engine that listed these objects."""


class ListedObjects(Struct, frozen=True):
    """The objects that the engine's API lists."""

    containers: tuple[Container, ...]
    images: tuple[Image, ...]
    volumes: tuple[Volume, ...]
    build_cache: tuple[BuildCacheRecord, ...] | None


class OwnFolder(NamedTuple):
    """The engine's own folder."""

    path: Path
    tells_its_engine: bool
    """Whether the folder contains the engine's id."""
    images_in: Path
    """The folder with Podman's images, usually the same one."""


def own_folder(engine: Engine, listed: ListedObjects) -> OwnFolder:
    """Return the engine's folder on this machine, after checking that its file names agree with what the engine lists,
    which is cheap compared with a scan.

    Raises UnreadableStorageError where the engine is on another machine or its folder does not exist here,
    ForeignFolderError where the folder is another engine's, and OSError.
    """
    root = folder_of(engine)
    is_certain = _tells_the_id_of(engine, root)
    if not is_certain and not is_folder(root / engine.image_store):
        raise ForeignFolderError(f"{root} does not hold what this engine lists: there is no {engine.image_store} in it")
    if engine.flavour == "podman":
        return OwnFolder(root, is_certain, _images_of_podman(engine, root, listed, is_certain=is_certain))
    there = _objects_in(root / "image" / engine.image_store / "imagedb" / "content" / "sha256", root / "containers")
    # containerd's images are in a database, which may be a separate service's.
    check_contents(root, listed, there, is_certain, with_images=engine.image_store != "containerd")
    return OwnFolder(root, is_certain, root)


def _images_of_podman(engine: Engine, root: Path, listed: ListedObjects, *, is_certain: bool) -> Path:
    """Return the folder with the images of the Podman in `root`: the same one, or if the images are not there, one that
    the settings of a Podman name. Raises ForeignFolderError and OSError."""

    def check(store: Path) -> None:
        places = store / f"{engine.image_store}-images", root / f"{engine.image_store}-containers"
        check_contents(root, listed, _objects_in(*places), is_certain)

    try:
        check(root)
        return root
    except ForeignFolderError:
        from dockersweep.engine.disk.moved_stores import image_stores

        for store in image_stores(root):
            with suppress(ForeignFolderError, OSError):
                check(store)
                return store
        raise


def _objects_in(images: Path, containers: Path) -> set[str]:
    """Return the part ids of the images and containers in these folders."""
    return {f"image:sha256:{object_id}" for object_id in _ids_in(images)} | {
        f"container:{object_id}" for object_id in _ids_in(containers)
    }


def folder_of(engine: Engine) -> Path:
    """Return the folder on this machine that the engine reports as its own, without checking its contents.

    Raises UnreadableStorageError where the engine is on another machine or the folder does not exist here, and OSError.
    """
    if engine.on_other_kernel:
        raise UnreadableStorageError("the engine runs in a virtual machine, or on another machine")
    if not engine.is_local or engine.root_dir is None:
        raise UnreadableStorageError("the engine is on another machine")
    root = Path(engine.root_dir)
    if not is_folder(root):
        raise UnreadableStorageError(f"{root} is not on this machine")
    return root


def _tells_the_id_of(engine: Engine, root: Path) -> bool:
    """Return whether the folder contains this engine's id, which Docker writes there from 24.0 on.

    Raises ForeignFolderError where it contains another id, and OSError.
    """
    try:
        engine_id = read_inside(root / "engine-id", _LARGEST_ID_BYTES).decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return False
    if engine_id != engine.id:
        raise ForeignFolderError(f"{root} belongs to another engine ({engine_id})")
    return True


def check_contents(
    folder: Path, listed: ListedObjects, there: Collection[str], is_certain: bool, with_images: bool = True
) -> None:
    """Compare the contents of a folder with what the engine lists; `there` are the part ids in the folder.

    With the engine's id in the folder (`is_certain`), more than half of the listed objects must be there: some may just
    have been removed. Without it, the images must be exactly the listed ones, and all listed containers must be there.
    Raises ForeignFolderError.
    """
    # Podman also lists images of additional stores, which are in other folders.
    images = {f"image:{image.id}" for image in listed.images if with_images and not image.read_only}
    # A container whose removal failed, or is in progress, may be incomplete.
    containers = {
        f"container:{container.id}" for container in listed.containers if container.state not in ("dead", "removing")
    }
    missing = (images | containers) - set(there)
    strange: Set[str] = set() if is_certain else {part_id for part_id in there if part_id.startswith("image:")} - images
    if is_certain and len(missing) < len(images | containers) / 2:
        missing = set()
    if missing or strange:
        odd = sorted(missing or strange)[0]
        raise ForeignFolderError(
            f"{folder} belongs to another engine, or things come and go there: {odd} is only "
            f"{'listed by the engine' if missing else 'in the folder'}"
        )


def _ids_in(folder: Path) -> set[str]:
    """Return the object ids among the names in a folder; none if it does not exist: Podman creates it on first use."""
    try:
        return {name for name in os.listdir(folder) if _ID.fullmatch(name)}
    except FileNotFoundError:
        return set()
