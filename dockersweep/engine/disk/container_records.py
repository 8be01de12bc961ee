"""Docker's records of containers in its folder: `containers/ID/config.v2.json` and `hostconfig.json`.

Docker replaces these files atomically at each change of state, before the change shows in a list
(container/container.go of moby: CheckpointTo), so they agree with an inspect.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from dockersweep.files import FolderInside

_LARGEST_BYTES = 4_000_000


class ContainerRecord(NamedTuple):
    """An engine's record of one container, as its own JSON."""

    config: bytes
    other: bytes
    """Docker's configuration of the host, or Podman's state."""


Records = Mapping[str, ContainerRecord]
"""Container id -> record."""


def read_docker_records(root: Path, container_ids: Iterable[str]) -> dict[str, ContainerRecord]:
    """Return the records of these containers by id, without unreadable ones. Raises OSError where the folder of all
    containers cannot be read."""
    records = {}
    with FolderInside(root / "containers") as folder:
        for container_id in container_ids:
            # The id comes from the engine, and may be an invalid file name.
            with suppress(OSError, ValueError):
                config, host = folder.read_in(container_id, ("config.v2.json", "hostconfig.json"), _LARGEST_BYTES)
                if config is not None and host is not None:
                    records[container_id] = ContainerRecord(config, host)
    return records
