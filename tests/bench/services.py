"""What it costs a scan to ask a manager for the services of its swarm: the same scan with them and without, in turn."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import closing

from dockersweep.engine.api.client import Client
from dockersweep.engine.api.connection import Connection
from dockersweep.engine.api.endpoint import Endpoint
from dockersweep.engine.api.swarm import SwarmRole
from dockersweep.engine.reading.scanner import scan
from tests.bench.table import Row, write_table
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import DEFAULT_KIND, kind
from tests.rig.engines.litter import BASE, Litter
from tests.rig.engines.swarm import create_service, swarm

COUNTS = (1, 50, 200)
ROUNDS = 101
MOST_SECONDS = 0.010


def measure(engine: Engine, count: int) -> Row:
    """The median of what services add to a scan, pair by pair."""
    with closing(Connection(Endpoint(engine.url, "the benchmark", tls=None), timeout_seconds=60)) as connection:
        client = Client(connection, removal_seconds=0)
        pairs = [(_seconds(client, "manager", count), _seconds(client, "none", 0)) for _ in range(ROUNDS)]
    added = statistics.median(with_them - without for with_them, without in pairs)
    what = f"{count} services, over a scan --no-sizes of {1000 * statistics.median(one for _, one in pairs):.1f} ms"
    return Row(what, max(0.0, added), aim=MOST_SECONDS)


def _seconds(client: Client, role: SwarmRole, count: int) -> float:
    client.swarm_role = role
    begun = time.perf_counter()
    inventory, _ = scan(client, sizes=False)
    taken = time.perf_counter() - begun
    assert len(inventory.services or ()) == count
    return taken


def main(arguments: Sequence[str]) -> int:
    """Print the table; return 1 where an aim is missed."""
    rows, counts = [], _parser().parse_args(arguments).counts or COUNTS
    with Engine(kind(DEFAULT_KIND)) as engine:
        Litter(engine).base()
        with swarm(engine):
            made = 0
            for count in sorted(counts):
                for number in range(made, count):
                    create_service(engine, f"service-{number}", BASE, volumes=(f"data-{number}",))
                made = count
                rows.append(measure(engine, count))
    return write_table(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests/bench/services",
        description="Scan a manager of a swarm with so many services, with them and without in turn. Prints a Markdown "
        "table, and fails where an aim is missed.",
    )
    parser.add_argument("counts", metavar="COUNT", nargs="*", type=int, help=f"default: {' '.join(map(str, COUNTS))}")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
