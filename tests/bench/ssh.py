"""What ssh adds to a scan: the same scan over it and over the socket, in turn, with a real sshd on this machine."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.bench.installed import HERE, Installed
from tests.bench.measure import BenchError, Sample, in_turn, median
from tests.bench.stopped import make_stopped
from tests.bench.table import Row, write_table
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import kind, parser_with_engine
from tests.rig.engines.litter import Litter
from tests.rig.engines.ssh_host import ssh_host

MOST_SECONDS = 0.3


def measure(engine: Engine, containers: int, rounds: int) -> list[Row]:
    """The medians of what ssh adds, pair by pair: where the engine's folder can be read over the socket as little as
    over ssh, and where it is read, which spares a request for each container."""
    with ssh_host(engine, engine.kind.flavour) as host:
        environment = engine.environment() | {"PATH": host.path}
        reading = Installed(HERE, environment, engine.run_directory / "reading")
        blind = Installed(HERE, environment, engine.run_directory / "blind", _without_folder(engine, reading.python))
        near = f"unix://{host.recorder.path}"

        def scan(dockersweep: Installed, url: str) -> Sample:
            done = dockersweep("-H", url, "scan", "--kind", "container")
            if done.output.count("stopped-") < containers:
                raise BenchError("not every container is listed")
            return done

        far, asking, read = in_turn(
            rounds,
            partial(scan, blind, host.url),
            partial(scan, blind, near),
            partial(scan, reading, near),
        )
    rows = []
    for what, beside, aim in (("asks for each container", asking, MOST_SECONDS), ("reads the folder", read, None)):
        added = statistics.median(one.wall - other.wall for one, other in zip(far, beside, strict=True))
        milliseconds = 1000 * median(beside, lambda sample: sample.wall)
        row = f"ssh, over a scan of {containers} containers that {what}, of {milliseconds:.0f} ms"
        rows.append(Row(row, max(0.0, added), aim=aim))
    return rows


def _without_folder(engine: Engine, python: Path) -> str:
    """Return an interpreter that sees nothing of the engine's folder."""
    script = engine.run_directory / "without-folder"
    inside = f'mount -t tmpfs none {engine.data_root} && exec {python} "$@"'
    script.write_text(f"#!/bin/sh\nexec unshare --mount sh -c '{inside}' sh \"$@\"\n")
    script.chmod(0o755)
    return str(script)


def main(arguments: Sequence[str]) -> int:
    """Print the table, with the load; return 1 where the aim is missed."""
    options = _parser().parse_args(arguments)
    with Engine(kind(options.engine)) as engine:
        make_stopped(Litter(engine), options.containers)
        rows = measure(engine, options.containers, options.rounds)
    sys.stdout.write(f"Load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors, {options.engine}.\n\n")
    return write_table(rows)


def _parser() -> argparse.ArgumentParser:
    parser = parser_with_engine("tests/bench/ssh", __doc__ or "")
    parser.add_argument("--containers", type=int, default=1000, metavar="N", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=9, metavar="N", help="runs of each; default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
