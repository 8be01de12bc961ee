"""Finds volume and container folders in Docker's folder for which it knows no volume and no container."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dockersweep.engine.disk.bolt import read_bolt
from dockersweep.engine.disk.leaks.unowned import Unowned, names_in
from dockersweep.engine.disk.left_stores import left_drivers
from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.files import is_folder, is_there, read_inside
from dockersweep.model.inventory import Engine
from dockersweep.model.storage import Storage

_VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_CONTAINER = re.compile(r"[0-9a-f]{64}")
_LARGEST_BYTES = 16_000_000


class _Configuration(msgspec.Struct, rename="pascal"):
    driver: str | None = None


def unowned_volumes(root: Path, listed: ListedObjects) -> Iterator[Unowned]:
    """Yield the volume folders that Docker does not list: they appeared while it ran. On its next start it makes each
    of them a volume again (tried on 20.10, 26.1 and 28.5; volume/local/local.go).

    Raises OSError, and BoltError for a damaged database.
    """
    home = root / "volumes"
    names = set(names_in(home, _VOLUME)) - {volume.name for volume in listed.volumes}
    folders = [home / name for name in sorted(names) if is_folder(home / name / "_data")]
    database = home / "metadata.db"
    if not folders or not is_there(database):
        return
    volumes = read_bolt(database).bucket(b"volumes")
    named = {key.decode() for key, _ in volumes.items()} if volumes else set()
    yield from (Unowned(folder, "volume", "unnamed") for folder in folders if folder.name not in named)


def unowned_containers(engine: Engine, root: Path, listed: ListedObjects, storage: Storage) -> Iterator[Unowned]:
    """Yield the container folders that Docker does not list, except those with a layer in its storage: their
    configuration may be damaged. Neither a start nor a prune removes them (tried on 20.10, 26.1 and 28.5).

    Containers of a left-behind store are not among them: they are back when the engine is switched back to it. Raises
    OSError.
    """
    left = left_drivers(engine, root)
    owners = {container.id for container in listed.containers}
    owners |= {part.id.removeprefix("container:") for part in storage.parts if part.needs}
    for name in names_in(root / "containers", _CONTAINER):
        folder = root / "containers" / name
        if name not in owners and (not left or _driver_of(folder) not in left):
            yield Unowned(folder, "container", "unnamed")


def _driver_of(folder: Path) -> str | None:
    """Return the driver of the store in which a container was created; None where unknown."""
    try:
        return msgspec.json.decode(read_inside(folder / "config.v2.json", _LARGEST_BYTES), type=_Configuration).driver
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
