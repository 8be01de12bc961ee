"""Which container the layer of a mounted image is of.

Docker gives a container a layer of its own on top of each image that it mounts (on the containerd store a snapshot with
a lease), which goes with the container. What it is called differs: up to 28.5 `<container id>-<image as written>`, on
29.7 a hash. The container's `Mounts[].Source` tells on all of them, and holds through restarts (tried on 28.5).
"""

from collections.abc import Iterable
from pathlib import Path

from dockersweep.model.inventory import Container


def layers_of_mounts(containers: Iterable[Container], below: Path) -> dict[str, str]:
    """Return where images are mounted below a folder, as paths from there, each with the id of its container."""
    start = f"{below}/"
    return {
        mount.folder.removeprefix(start): container.id
        for container in containers
        for mount in container.mounts
        if mount.folder is not None and mount.folder.startswith(start)
    }
