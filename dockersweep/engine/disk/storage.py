"""From an engine's folder on this machine to the storage of an inventory, in disk blocks.

The socket may be forwarded from another machine that has the same folder here, so the folder must tell of what the
engine lists before it is believed.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import msgspec

from dockersweep.engine.disk import containerd, graphdriver, podman
from dockersweep.engine.disk.bolt import BoltError
from dockersweep.engine.disk.found import Found, Listed, UnreadableStorageError
from dockersweep.engine.disk.walk import DiskBytes, measure
from dockersweep.model.inventory import Engine, Volume
from dockersweep.model.storage import Part, Storage

CACHED = "layer:"
"""What the ids of parts begin with whose contents never change."""


def read_storage_from_disk(
    engine: Engine, listed: Listed, known: Mapping[str, Part], timeout_seconds: float
) -> tuple[Storage, int]:
    """Return the storage of an engine whose folder can be read, in disk blocks, and how many parts went unmeasured.

    `known` are layers from an earlier run by their ids, which are not measured again. What cannot be measured within
    `timeout_seconds` is of unknown size. Raises UnreadableStorageError where the folder is not there, not readable,
    not this engine's or not understood.
    """
    if not engine.endpoint.startswith("unix:") or engine.root_dir is None:
        raise UnreadableStorageError("the engine is on another machine")
    root = Path(engine.root_dir)
    try:
        found = _find(engine, root)
        _check_identity(engine, root, listed, {one.id for one in found})
        parts = {one.id: one for one in (*found, *_volumes(listed.volumes))}
        return _measure(parts.values(), root, known, time.monotonic() + timeout_seconds)
    except (OSError, BoltError, msgspec.MsgspecError, ValueError, LookupError) as error:
        raise UnreadableStorageError(f"{root} cannot be read: {error}") from error


def _find(engine: Engine, root: Path) -> list[Found]:
    if not root.is_dir():
        raise UnreadableStorageError(f"{root} is not on this machine")
    if engine.flavour == "podman":
        return podman.find_parts(root, engine.image_store)
    if engine.image_store == "containerd":
        return containerd.find_parts(root)
    return graphdriver.find_parts(root, engine.image_store)


def _check_identity(engine: Engine, root: Path, listed: Listed, found: Collection[str]) -> None:
    """Docker writes its id beside its data from 24.0 on; of others every container and image must be there, and no
    container that is not listed but the mounts of builds (20.10's folder of containers tells which they are)."""
    if (root / "engine-id").exists():
        told = (root / "engine-id").read_text().strip()
        if told != engine.id:
            raise UnreadableStorageError(f"{root} belongs to another engine ({told})")
        return
    missing = [f"container {one.name}" for one in listed.containers if f"container:{one.id}" not in found]
    missing += [f"image {one.id}" for one in listed.images if f"image:{one.id}" not in found]
    if missing:
        raise UnreadableStorageError(f"{root} belongs to another engine: {missing[0]} is not in it")
    if not listed.images and any(part.startswith("image:") for part in found):
        raise UnreadableStorageError(f"{root} belongs to another engine: it holds images, and none is listed")


def _volumes(volumes: tuple[Volume, ...]) -> Iterable[Found]:
    """A local volume is the folder around its mount point; what its options mount there does not go with it."""
    for volume in volumes:
        place = Path(volume.mountpoint or "")
        if volume.driver == "local" and (place.parent.name, place.name) == (volume.name, "_data"):
            yield Found(id=f"volume:{volume.name}", places=(place.parent,))


def _measure(found: Iterable[Found], root: Path, known: Mapping[str, Part], deadline: float) -> tuple[Storage, int]:
    parts, unmeasured = [], 0
    for one in found:
        folder = _below(root, one)
        earlier = known.get(one.id)
        if one.never_changes and earlier is not None and earlier.folder == folder:
            size: DiskBytes | None = DiskBytes(earlier.low_bytes, earlier.high_bytes or earlier.low_bytes)
        elif one.places and time.monotonic() > deadline:
            size = None
            unmeasured += 1
        else:
            measured = measure(one.places)
            size = DiskBytes(measured.low + one.known_disk_bytes, measured.high + one.known_disk_bytes)
        parts.append(
            Part(
                id=one.id,
                needs=one.needs,
                low_bytes=size.low if size else 0,
                high_bytes=size.high if size else None,
                folder=folder,
            )
        )
    return Storage(base="disk", parts=tuple(parts)), unmeasured


def _below(root: Path, one: Found) -> str | None:
    """Return where a part lies, as a path from the root if that is above it."""
    place = one.folder or next(iter(one.places), None)
    return None if place is None else str(place).removeprefix(f"{root}/")
