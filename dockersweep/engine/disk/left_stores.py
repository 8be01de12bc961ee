"""Image stores that an engine used before it was switched to another, and that nothing uses or removes any more.

A store is all of its folders. With a part of one left the engine starts, and fails when it is switched back (tried on
Docker 28.5): containerd's database names images and snapshots that are gone, so that those images do not run, nor do
new ones with their layers; BuildKit's names layers that are gone, so that `docker system df` ends with an error.
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
"""Those that Docker has or had: each keeps its layers in a folder of its name."""
_CACHE_OF_DRIVERS = ("cache.db", "containerdmeta.db", "content", "history.db", "metadata_v2.db", "snapshots.db")
"""What BuildKit keeps for all of them together, below buildkit/."""
_DAEMON = Path("containerd", "daemon")
_CACHE_OF_CONTAINERD = re.compile(r"containerd-.+|history_c8d\.db")
"""The same of containerd; the first once for each snapshotter."""
_SNAPSHOTTERS = "io.containerd.snapshotter.v1."


def read_left_stores(engine: Engine, root: Path, walker: Walker) -> Iterator[LeftStore]:
    """Yield the stores left behind in the folder of an engine; what cannot be measured in time is of unknown size.

    Podman keeps to the store that it began with, so only Docker leaves one. Each driver tells of its images and
    containers below image/<driver>; an engine makes the empty folders of its own at every start, so that there must be
    a layer too. Raises OSError.
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
    """Return the drivers of the stores that are left in a Docker engine's folder, as the files of its containers name
    them: those of the containerd store are its snapshotters. Raises OSError."""
    found = _left_graphdrivers(engine, root)
    if _is_containerd_left(engine, root):
        found += [name.removeprefix(_SNAPSHOTTERS) for name in _names(root / _DAEMON) if _SNAPSHOTTERS in name]
    return found


def _left_graphdrivers(engine: Engine, root: Path) -> list[str]:
    return [driver for driver in _DRIVERS if driver != engine.image_store and _holds_layers(root / "image" / driver)]


def _is_containerd_left(engine: Engine, root: Path) -> bool:
    """As a service of its own containerd may hold what is not the engine's, and is not looked at."""
    return engine.image_store != "containerd" and _holds_images(root)


def _holds_layers(metadata: Path) -> bool:
    return _has_entries(metadata / "layerdb" / "sha256") or _has_entries(metadata / "layerdb" / "mounts")


def _holds_images(root: Path) -> bool:
    """With another store the engine runs containerd all the same, without images and snapshots. Where somebody has
    removed the snapshots' folder alone, the images are still in the database."""
    if _has_entries(root / _DAEMON / f"{_SNAPSHOTTERS}{SNAPSHOTTER}" / "snapshots"):
        return True
    try:
        return any(images.buckets() for one in _namespaces(root).values() if (images := one.bucket(b"images")))
    except (BoltError, OSError):
        return False


def _is_shared(root: Path) -> bool:
    """Return whether somebody else has images or the like in the containerd that the engine started: whoever has its
    socket may, under a namespace of their own. BuildKit has one for the history of builds, and the engine's plugins
    only run in theirs. In doubt it is shared."""
    own = engine_namespace(root).encode()
    try:
        others = [one for name, one in _namespaces(root).items() if name not in (own, own + b"_history")]
        return any(map(_has_contents, others))
    except (BoltError, OSError):
        return True


def _has_contents(namespace: Bucket) -> bool:
    snapshotters = namespace.bucket(b"snapshots")
    held = [namespace.bucket(b"images"), namespace.bucket(b"content", b"blob")]
    held += snapshotters.buckets().values() if snapshotters else ()
    return any(bucket.buckets() for bucket in held if bucket)


def _namespaces(root: Path) -> dict[bytes, Bucket]:
    """Return what containerd's database says by namespace; nothing where there is none."""
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
