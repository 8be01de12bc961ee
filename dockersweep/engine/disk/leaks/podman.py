"""What lies in Podman's storage that its lists do not name.

`podman system prune --external` takes it away (tried on 5.8 and 6.1). What removals have moved aside, to
overlay/tempdirs, goes when the engine or a command of podman's starts. A folder of an image that Podman does not list
makes the whole folder another engine's, so that these are not looked for.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from dockersweep.engine.disk.leaks.unowned import KnownFolders, Unowned, names_in
from dockersweep.engine.disk.podman import named_folders

_ID = re.compile(r"[0-9a-f]{64}")

RunRoot = Callable[[], str | None]
"""Asks Podman for the folder in which its storage notes what a boot ends; None where it does not tell."""


def unowned_in_storage(root: Path, driver: str, known: KnownFolders, run_root: RunRoot) -> Iterator[Unowned]:
    """Yield the folders of layers and containers that no list of the storage names; none with another driver.

    Raises OSError, ValueError and msgspec.MsgspecError where the lists are not there, or not as they are known to be,
    and EngineError where Podman does not answer.
    """
    if driver != "overlay":
        return
    places = [root / name for name in ("overlay", "overlay-containers")]
    # First: what is made from now on is named by the lists below, or not looked at.
    folders = [place / name for place in places for name in names_in(place, _ID) if str(place / name) not in known]
    if not folders:
        return
    if (runs_in := run_root()) is None:
        raise ValueError("Podman does not tell its run root")
    named = named_folders(root, Path(runs_in))
    yield from (Unowned(folder, "podman", "unnamed") for folder in folders if folder not in named)
