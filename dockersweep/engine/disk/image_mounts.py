"""Which container the layer of a mounted image belongs to.

Docker gives a container its own layer on top of each image that it mounts (on the containerd store a snapshot with a
lease), which is removed with the container. Its name differs: up to 28.5 `<container id>-<image as written>`, on 29.7 a
hash. The container's `Mounts[].Source` shows it on all versions, and survives restarts (tried on 28.5).
"""

from collections.abc import Iterable
from pathlib import Path

from dockersweep.model.inventory import Container


def layers_of_mounts(containers: Iterable[Container], below: Path) -> dict[str, str]:
    """Return path relative to `below` -> container id, for each image mounted there."""
    start = f"{below}/"
    return {
        mount.folder.removeprefix(start): container.id
        for container in containers
        for mount in container.mounts
        if mount.folder is not None and mount.folder.startswith(start)
    }
