"""Finds folders in Podman's storage that its lists do not name.

`podman system prune --external` removes them (tried on 5.8 and 6.1). Data that removals have moved to overlay/tempdirs
disappears when the engine or a podman command starts. Unlisted image folders are not looked for: with one, the whole
folder counts as another engine's.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from dockersweep.engine.disk.leaks.unowned import KnownFolders, Unowned, names_in
from dockersweep.engine.disk.podman import named_folders

_ID = re.compile(r"[0-9a-f]{64}")

RunRoot = Callable[[], str | None]
"""Returns Podman's run root, the folder of state that a boot clears; None where Podman does not report it."""


def unowned_in_storage(root: Path, driver: str, known: KnownFolders, run_root: RunRoot) -> Iterator[Unowned]:
    """Yield the layer and container folders that no list of the storage names; none for drivers other than overlay.

    Raises OSError, ValueError and msgspec.MsgspecError for missing lists, or lists of an unknown format, and
    EngineError where Podman does not answer.
    """
    if driver != "overlay":
        return
    places = [root / name for name in ("overlay", "overlay-containers")]
    # First, so that folders made later are either in the lists read below, or not candidates.
    folders = [place / name for place in places for name in names_in(place, _ID) if str(place / name) not in known]
    if not folders:
        return
    if (runs_in := run_root()) is None:
        raise ValueError("Podman does not tell its run root")
    named = named_folders(root, Path(runs_in))
    yield from (Unowned(folder, "podman", "unnamed") for folder in folders if folder not in named)
