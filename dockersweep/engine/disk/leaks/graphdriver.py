"""Finds layer folders of Docker's classic image store that no layer, container, build mount or cache record names.

A killed pull or load leaves them behind, and no restart and no prune of Docker's removes them; leftovers of a removal
disappear when the engine stops or starts (tried on 20.10, 26.1 and 28.5; moby#21925).
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from dockersweep.engine.disk.bolt import read_bolt
from dockersweep.engine.disk.graphdriver import FOLDERS
from dockersweep.engine.disk.leaks.unowned import KnownFolders, Unowned, names_in
from dockersweep.files import is_there, read_inside

_FOLDER = re.compile(r"[0-9a-f]{64}(?:-init)?|[0-9a-z]{25}")
"""Names that Docker gives layers and containers, and BuildKit snapshots; other folders are somebody else's."""
_INIT = "-init"
_LAYER = re.compile(r"[0-9a-f]{64}")
_REMOVING = re.compile(r"[0-9a-f]{64}-[0-9a-f]+-removing")
_LARGEST_NAME_BYTES = 1_000


def unowned_layers(root: Path, driver: str, known: KnownFolders) -> Iterator[Unowned]:
    """Yield the layer folders that nothing names; none for a driver of unknown layout.

    Raises OSError, BoltError, and ValueError for metadata of an unknown format.
    """
    if driver not in FOLDERS:
        return
    home = root / FOLDERS[driver]
    # First, so that folders made later are either in the metadata read below, or not candidates.
    # A container's init folder is named after its layer, and is removed with it.
    unknown = [name for name in names_in(home, _FOLDER) if f"{home}/{name.removesuffix(_INIT)}" not in known]
    if not unknown:
        return
    named = set(_named(root, driver))
    half_gone = set(_named_by_layers(root / "image" / driver / "layerdb" / "sha256", _REMOVING))
    for name in unknown:
        if name not in named:
            yield Unowned(home / name, "layer", "removal-unfinished" if name in half_gone else "unnamed")


def _named(root: Path, driver: str) -> Iterator[str]:
    layerdb = root / "image" / driver / "layerdb"
    yield from _named_by_layers(layerdb / "sha256", _LAYER)
    yield from _named_by_mounts(layerdb / "mounts")
    snapshots = root / "buildkit" / "snapshots.db"
    if is_there(snapshots):
        for key, fields in read_bolt(snapshots).buckets().items():
            yield key.decode()
            yield fields.values().get(b"committed", b"").decode()


def _named_by_layers(folder: Path, wanted: re.Pattern[str]) -> Iterator[str]:
    """Yield the driver's folders of the layers in `folder` whose names match `wanted`."""
    for name in names_in(folder, wanted):
        yield from _read_name(folder / name / "cache-id")


def _named_by_mounts(folder: Path) -> Iterator[str]:
    """Yield the driver's folders of containers, builds and mounted images. Folders of mounted images are nested if the
    image's name has a slash (Docker 28: `<container id>-<image as written>`)."""
    for path, _, files in os.walk(folder, onerror=_raise):
        for name in {"mount-id", "init-id"}.intersection(files):
            yield from _read_name(Path(path, name))


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _read_name(file: Path) -> Iterator[str]:
    try:
        yield read_inside(file, _LARGEST_NAME_BYTES).decode()
    except FileNotFoundError:
        # Removed meanwhile, and its folder with it.
        return
