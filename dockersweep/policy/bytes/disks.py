"""Which disk each part of the storage lies on."""

from collections.abc import Sequence

from dockersweep.model.disk import Disk, lies_on
from dockersweep.model.storage import Part


def disks_of_parts(parts: Sequence[Part], disks: tuple[Disk, ...], root_dir: str | None) -> list[int]:
    """Return for each part the place of its disk among `disks`, that of the engine's own folder being the first.

    `root_dir` is the engine's own folder, below which parts lie that have no whole path. What has no folder that is
    known counts to the first disk, and all does where there is one only.
    """
    if len(disks) < 2:
        return [0] * len(parts)
    of_folders: dict[str, int] = {}
    found = []
    for part in parts:
        # All layers of a store have one folder above them.
        above, _, _ = (part.folder or "").rpartition("/")
        if above not in of_folders:
            of_folders[above] = lies_on(above if above.startswith("/") else f"{root_dir}/{above}".rstrip("/"), disks)
        found.append(of_folders[above])
    return found
