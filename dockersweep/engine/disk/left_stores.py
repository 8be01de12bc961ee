"""Finds left-behind image stores, which an engine used before it was switched to another, and which nothing uses or
removes any more.

All folders of a store belong together. If only some of them are removed, the engine starts, but fails when it is
switched back (tried on Docker 28.5): containerd's database names missing images and snapshots, so those images, and new
ones with their layers, do not run; BuildKit's names missing layers, so `docker system df` fails.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from dockersweep.engine.disk.bolt import BoltError, Bucket, read_bolt
from dockersweep.engine.disk.containerd import METADATA, engine_namespace
from dockersweep.engine.disk.containerd_metadata import SNAPSHOTTER
from dockersweep.engine.disk.walk import TooLateError, Walker
from dockersweep.files import is_there
from dockersweep.model.engine_folder import LeftStore
from dockersweep.model.inventory import Engine

_DRIVERS = ("overlay2", "overlay", "aufs", "devicemapper", "btrfs", "zfs", "vfs", "fuse-overlayfs")
"""Docker's drivers, past and present: each keeps its layers in a folder of its name."""
_CACHE_OF_DRIVERS = ("cache.db", "containerdmeta.db", "content", "history.db", "metadata_v2.db", "snapshots.db")
"""BuildKit's files for all these drivers together, below buildkit/."""
_DAEMON = Path("containerd", "daemon")
_CACHE_OF_CONTAINERD = re.compile(r"containerd-.+|history_c8d\.db")
"""The same for containerd; the first exists once for each snapshotter."""
_SNAPSHOTTERS = "io.containerd.snapshotter.v1."


def read_left_stores(engine: Engine, root: Path, walker: Walker) -> Iterator[LeftStore]:
    """Yield the left-behind stores in the folder of an engine; the size is unknown if it cannot be measured in time.

    Podman never changes its store, so only Docker leaves some behind. Each driver has the metadata of its images and
    containers below image/<driver>; an engine creates its own empty folders at every start, so a left store must have a
    layer. Raises OSError.
    """
    if engine.flavour != "docker":
        return
    cache = _CACHE_OF_DRIVERS if engine.image_store == "containerd" else ()
    for driver in _left_graphdrivers(engine, root):
        places = (root / driver, root / "image" / driver, *(root / "buildkit" / name for name in cache))
        yield _left_store(driver, places, walker)
    if _is_containerd_left(engine, root) and not _is_shared(root):
        of_cache = [
            root / "buildkit" / name for name in _names(root / "buildkit") if _CACHE_OF_CONTAINERD.fullmatch(name)
        ]
        yield _left_store("containerd", (root / _DAEMON, *of_cache), walker)


def left_drivers(engine: Engine, root: Path) -> list[str]:
    """Return the drivers of left-behind stores in a Docker engine's folder, as its container files name them: for the
    containerd store these are the snapshotters. Raises OSError."""
    drivers = _left_graphdrivers(engine, root)
    if _is_containerd_left(engine, root):
        drivers += [name.removeprefix(_SNAPSHOTTERS) for name in _names(root / _DAEMON) if _SNAPSHOTTERS in name]
    return drivers


def _left_graphdrivers(engine: Engine, root: Path) -> list[str]:
    return [driver for driver in _DRIVERS if driver != engine.image_store and _holds_layers(root / "image" / driver)]


def _is_containerd_left(engine: Engine, root: Path) -> bool:
    """Whether a containerd store is left. Only the engine's own containerd is looked at: a separate service may have
    data of others."""
    return engine.image_store != "containerd" and _holds_images(root)


def _holds_layers(metadata: Path) -> bool:
    return _has_entries(metadata / "layerdb" / "sha256") or _has_entries(metadata / "layerdb" / "mounts")


def _holds_images(root: Path) -> bool:
    """Whether the engine's containerd has images or snapshots: with another store the engine runs it too, but without
    any. If somebody has removed only the snapshots' folder, the images are still in the database."""
    if _has_entries(root / _DAEMON / f"{_SNAPSHOTTERS}{SNAPSHOTTER}" / "snapshots"):
        return True
    try:
        return any(
            images.buckets() for namespace in _namespaces(root).values() if (images := namespace.bucket(b"images"))
        )
    except (BoltError, OSError):
        return False


def _is_shared(root: Path) -> bool:
    """Return whether somebody else keeps data in the containerd that the engine started: anybody with access to its
    socket may, in another namespace. BuildKit has one for the history of builds, and the engine's plugins have one
    without data. When in doubt it is shared."""
    own = engine_namespace(root).encode()
    try:
        others = [namespace for name, namespace in _namespaces(root).items() if name not in (own, own + b"_history")]
        return any(map(_has_contents, others))
    except (BoltError, OSError):
        return True


def _has_contents(namespace: Bucket) -> bool:
    snapshotters = namespace.bucket(b"snapshots")
    held = [namespace.bucket(b"images"), namespace.bucket(b"content", b"blob")]
    held += snapshotters.buckets().values() if snapshotters else ()
    return any(bucket.buckets() for bucket in held if bucket)


def _namespaces(root: Path) -> dict[bytes, Bucket]:
    """Return namespace -> bucket of containerd's database; empty if there is none."""
    database = root / _DAEMON / METADATA
    schema = read_bolt(database).bucket(b"v1") if is_there(database) else None
    return schema.buckets() if schema else {}


def _names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if is_there(folder) else []


def _has_entries(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except (FileNotFoundError, NotADirectoryError):
        return False


def _left_store(driver: str, places: tuple[Path, ...], walker: Walker) -> LeftStore:
    there = [place for place in places if is_there(place)]
    try:
        size = walker.measure(there).high
    except (TooLateError, OSError):
        size = None
    return LeftStore(folder=str(places[0]), driver=driver, size_bytes=size, places=tuple(map(str, there)))
