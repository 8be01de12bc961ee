"""How full the disk is that the engine's own folder lies on.

As with all that is read from a disk, the socket may be forwarded from another machine that has the same folder here:
it is believed only where the folder tells of what the engine lists. That is looked up in the names of files alone, so
that it costs nothing beside a scan.
"""

import os
import re
from pathlib import Path

from dockersweep.engine.disk.found import Listed
from dockersweep.model.inventory import Disk, Engine

_ID = re.compile(r"[0-9a-f]{64}")


def disk_of(engine: Engine, listed: Listed) -> Disk | None:
    """Return how full the engine's disk is, None where that cannot be told from here: the engine is on another
    machine, or its folder is not there, not readable, or not of the engine that listed these objects."""
    if not engine.endpoint.startswith("unix:") or engine.root_dir is None:
        return None
    root = Path(engine.root_dir)
    try:
        return _measured(root) if root.is_dir() and is_its_own(engine, root, listed) else None
    except OSError:
        return None


def _measured(root: Path) -> Disk | None:
    told = os.statvfs(root)
    if told.f_blocks == 0:
        return None
    return Disk(
        total_bytes=told.f_blocks * told.f_frsize,
        free_bytes=told.f_bavail * told.f_frsize,
        total_inodes=told.f_files or None,
        free_inodes=told.f_favail if told.f_files else None,
    )


def is_its_own(engine: Engine, root: Path, listed: Listed) -> bool:
    """Docker writes its id beside its data from 24.0 on, but clones of a machine share it: most of what is listed must
    be there too. Where no id is told, each must have all images of the other."""
    place = root / "engine-id"
    is_certain = place.is_file()
    if is_certain and place.read_text(errors="replace").strip() != engine.id:
        return False
    images = {one.id.removeprefix("sha256:") for one in listed.images}
    containers = {one.id for one in listed.containers if one.state not in ("dead", "removing")}
    if engine.flavour == "podman":
        places = root / f"{engine.image_store}-images", root / f"{engine.image_store}-containers"
    else:
        places = root / "image" / engine.image_store / "imagedb" / "content" / "sha256", root / "containers"
    if engine.image_store == "containerd":
        # Its images are in a database, which may be that of a service of its own.
        images = set()
    there = _ids_in(places[0])
    missing = (images - there) | (containers - _ids_in(places[1]))
    if is_certain:
        return len(missing) <= len(images | containers) / 2
    return not missing and there == images and (root / engine.image_store).is_dir()


def _ids_in(folder: Path) -> set[str]:
    """Return the names in a folder that are ids of objects. Podman makes such a folder with the first of them."""
    try:
        return {name for name in os.listdir(folder) if _ID.fullmatch(name)}
    except FileNotFoundError:
        return set()
