"""Reads the objects of a real engine as a sweep with an archive does, from its disk or through its API alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from dockersweep.engine.api.archive_calls import ArchiveCalls
from dockersweep.engine.api.client import Client
from dockersweep.engine.api.connection import Connection
from dockersweep.engine.api.endpoint import resolve_endpoint
from dockersweep.engine.archiving.object_reader import ObjectReader
from dockersweep.engine.archiving.volume_containers import VolumeContainers
from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.engine.disk.stores import find_stores
from tests.rig.engines.engine import Engine

PLACE = "place"


@contextmanager
def calls_to(engine: Engine) -> Iterator[tuple[Client, ArchiveCalls]]:
    """Yield a client of an engine, and its calls for archives."""
    connection = Connection(resolve_endpoint(f"unix://{engine.socket}", None, os.environ), 60)
    try:
        client = Client(connection, 60)
        yield client, ArchiveCalls.sharing(client)
    finally:
        connection.close()


@contextmanager
def reader_of(engine: Engine, near: bool) -> Iterator[ObjectReader]:
    """Yield a reader of an engine's objects; at its end nothing of it may be left on the engine."""
    with calls_to(engine) as (client, calls):
        listed = ListedObjects(client.containers(), client.images(), client.volumes()[0], None)
        containers = VolumeContainers(calls, PLACE)
        yield ObjectReader(calls, containers, find_stores(client.engine, listed) if near else None)
        assert containers.close() is None
        assert (calls.own_containers(), calls.own_images()) == ((), ())
