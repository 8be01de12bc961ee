"""What a person may call the objects of an engine, read as cheaply as it can be."""

import re
from collections.abc import Iterator

from dockersweep.engine.api.client import Client
from dockersweep.engine.api.connection import Connection
from dockersweep.engine.api.endpoint import Endpoint

# A shell may take anything else for something to do.
_HARMLESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@+-]*")


def names_at(endpoint: Endpoint, seconds: float) -> Iterator[str]:
    """Yield the names of containers, the tags of images, the names of volumes and of networks, as they are told; each
    answer may take so long."""
    connection = Connection(endpoint, seconds)
    try:
        yield from filter(_HARMLESS.fullmatch, _names(Client(connection, removal_seconds=0)))
    finally:
        connection.close()


def _names(client: Client) -> Iterator[str]:
    yield from (named.name for named in client.containers())
    yield from client.image_tags()
    yield from client.volume_names("")
    yield from (named.name for named in client.networks())
