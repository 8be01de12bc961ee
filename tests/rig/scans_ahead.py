"""A process that scans an engine twice, with its disk read ahead and without, and prints both as JSON: a process can
only be copied for that where nothing has begun a thread, as pytest has.

python -m tests.rig.scans_ahead URL
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing

import msgspec

from dockersweep.engine.api.client import Client
from dockersweep.engine.api.connection import Connection
from dockersweep.engine.api.endpoint import resolve_endpoint
from dockersweep.engine.disk.ahead import Ahead, ReadAhead
from dockersweep.engine.disk.own_process import may_begin
from dockersweep.engine.reading.scanner import scan


def main(url: str) -> None:
    """Scan, and print what both scans tell and what was read ahead."""
    with closing(Connection(resolve_endpoint(url, None, {}), 60)) as connection:
        client = Client(connection, removal_seconds=0)
        assert may_begin()
        deadline = time.monotonic() + 30
        told = _told(client)
        # What has just been made may change unseen, and BuildKit tidies up behind a build.
        while told.parts and not told.has_all() and time.monotonic() < deadline:
            time.sleep(1)
            told = _told(client)
        with Ahead(client.engine, (), 60) as reading:
            with_ahead, _ = scan(client, ahead=reading)
        without, _ = scan(client)
        found = {"has_all": told.has_all(), "measured": list(told.sizes)}
        scans = [json.loads(msgspec.json.encode(one)) for one in (with_ahead, without)]
        sys.stdout.write(json.dumps({"ahead": found, "scans": scans}))


def _told(client: Client) -> ReadAhead:
    with Ahead(client.engine, (), 60) as reading:
        return reading.result(60)


if __name__ == "__main__":
    main(sys.argv[1])
