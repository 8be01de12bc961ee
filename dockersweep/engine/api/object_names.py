"""The names of an engine's objects for completion, read as cheaply as possible."""

import re
from collections.abc import Iterator

from dockersweep.engine.api.client import Client
from dockersweep.engine.api.connection import Connection
from dockersweep.engine.api.endpoint import Endpoint

# A shell might interpret anything else.
_HARMLESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@+-]*")


def names_at(endpoint: Endpoint, seconds: float) -> Iterator[str]:
    """Yield container names, image tags, volume names and network names as they arrive; `seconds` is the limit for each
    answer."""
    # The line that is being typed is no place for questions.
    connection = Connection(endpoint, seconds, may_ask=False)
    try:
        yield from filter(_HARMLESS.fullmatch, _names(Client(connection, removal_seconds=0)))
    finally:
        connection.close()


def _names(client: Client) -> Iterator[str]:
    yield from (named.name for named in client.containers())
    yield from client.image_tags()
    yield from client.volume_names("")
    yield from (named.name for named in client.networks())
