"""What Docker keeps of each container in its folder: `containers/ID/config.v2.json` and `hostconfig.json`.

It writes such a file beside the old one and then puts it in its place, at each change of a state and before the change
shows in a list (container/container.go of moby: CheckpointTo), so that it says what an inspect does.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from dockersweep.files import FolderInside

_LARGEST_BYTES = 4_000_000


class ContainerRecord(NamedTuple):
    """What an engine keeps of one container, as JSON in its own words."""

    config: bytes
    other: bytes
    """Docker's configuration of the host, or Podman's state."""


Records = Mapping[str, ContainerRecord]
"""Those of containers, by id."""


def read_docker_records(root: Path, container_ids: Iterable[str]) -> dict[str, ContainerRecord]:
    """Return the records of these containers by id, without those of which a file cannot be read. Raises OSError where
    the folder of all cannot."""
    records = {}
    with FolderInside(root / "containers") as folder:
        for one in container_ids:
            # An id is the engine's word, and may be one that no file can have.
            with suppress(OSError, ValueError):
                config, host = folder.read_in(one, ("config.v2.json", "hostconfig.json"), _LARGEST_BYTES)
                if config is not None and host is not None:
                    records[one] = ContainerRecord(config, host)
    return records
