"""What it costs a scan to read the events of an engine: the same scan with them and without, in turn.

First with the one event that the reading before ended with, then with 256 new ones, which is all that Docker keeps.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import closing

from dockersweep.engine.api.client import Client
from dockersweep.engine.api.concurrent import BackgroundCall
from dockersweep.engine.api.connection import Connection
from dockersweep.engine.api.endpoint import Endpoint
from dockersweep.engine.reading.events import DOCKER_RING, read_events
from dockersweep.engine.reading.scanner import scan
from dockersweep.engine.reading.uses import noticed_in
from dockersweep.model.event_reading import EventPosition
from tests.bench.table import Row, write_table
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import kind, parser_with_engine
from tests.rig.engines.litter import Litter

ROUNDS = 101
MOST_SECONDS_IDLE, MOST_MORE_SECONDS = 0.020, 0.010


def measure(engine: Engine, position: EventPosition | None, count: int, aim: float) -> tuple[Row, EventPosition]:
    """The median of what that many events add to a scan, pair by pair; and where a reading ends now."""
    url = f"unix://{engine.socket}"
    with closing(Connection(Endpoint(url, "the benchmark", tls=None), timeout_seconds=60)) as connection:
        client = Client(connection, removal_seconds=0)
        told = read_events(client, position)
        assert told.position is not None
        assert len(told.events) >= count, told
        pairs = [(_seconds(client, position, True), _seconds(client, position, False)) for _ in range(ROUNDS)]
    added = statistics.median(with_them - without for with_them, without in pairs)
    scanned = 1000 * statistics.median(one for _, one in pairs)
    what = f"{engine.kind.name}: {count} new events, over a scan --no-sizes of {scanned:.1f} ms"
    return Row(what, max(0.0, added), aim=aim), told.position


def _seconds(client: Client, position: EventPosition | None, reads: bool) -> float:
    begun = time.perf_counter()
    events = BackgroundCall(lambda: read_events(client, position)) if reads else None
    inventory, _ = scan(client, sizes=False)
    if events is not None:
        noticed_in(events.result(), inventory)
    return time.perf_counter() - begun


def _rows(engine: Engine) -> list[Row]:
    litter = Litter(engine)
    litter.container("idle", volumes={"data": "/d"})
    # All that lies within the slack of a reading is asked for again.
    time.sleep(3)
    _, position = measure(engine, None, 1, MOST_SECONDS_IDLE)
    idle, position = measure(engine, position, 0, MOST_SECONDS_IDLE)
    # Each run of it makes four events at least on Docker, and three on Podman.
    for _ in range(DOCKER_RING // 3):
        litter.start("idle")
        litter.wait("idle")
    full, _ = measure(engine, position, 200, idle.ours + MOST_MORE_SECONDS)
    return [idle, full]


def main(arguments: Sequence[str]) -> int:
    """Print the table; return 1 where an aim is missed."""
    with Engine(kind(_parser().parse_args(arguments).engine)) as engine:
        rows = _rows(engine)
    return write_table(rows)


def _parser() -> argparse.ArgumentParser:
    return parser_with_engine(
        "tests/bench/events",
        "Scan an engine with its events and without, in turn. Prints a Markdown table, and fails where an aim is "
        "missed.",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
