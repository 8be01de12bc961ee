"""A scan of a real engine within this process, so that a test can change how it is done."""

from __future__ import annotations

from contextlib import closing

from dockersweep.engine.api.client import Client
from dockersweep.engine.api.connection import Connection
from dockersweep.engine.api.endpoint import resolve_endpoint
from dockersweep.engine.reading.scanner import scan
from dockersweep.model.inventory import Inventory
from tests.rig.engines.engine import Engine


def scanned_by_us(engine: Engine, for_report: bool = False) -> Inventory:
    """Scan an engine, through its recorder."""
    with closing(Connection(resolve_endpoint(engine.url, None, {}), 60)) as connection:
        return scan(Client(connection, removal_seconds=0), for_report=for_report)[0]
