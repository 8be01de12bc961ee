"""Our own client of a real engine, and a scan by it, within this process, so that a test can change how it is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from dockersweep.engine.api.client import Client
from dockersweep.engine.api.connection import Connection
from dockersweep.engine.api.endpoint import resolve_endpoint
from dockersweep.engine.reading.scanner import scan
from dockersweep.model.inventory import Inventory
from tests.rig.engines.engine import Engine


def scanned_by_us(engine: Engine, for_report: bool = False) -> Inventory:
    """Scan an engine, through its recorder."""
    with own_client(engine) as client:
        return scan(client, for_report=for_report)[0]


@contextmanager
def own_client(engine: Engine) -> Iterator[Client]:
    """Our own client, as a scan has it, through the engine's recorder."""
    with closing(Connection(resolve_endpoint(engine.url, None, {}), 60)) as connection:
        yield Client(connection, removal_seconds=0)
