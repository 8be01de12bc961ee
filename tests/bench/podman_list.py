"""How long a scan of many stopped containers takes beside Podman's own list of them with their sizes."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

from tests.bench.installed import HERE, Installed
from tests.bench.measure import BenchError, Sample, in_turn, median
from tests.bench.stopped import make_stopped
from tests.bench.table import Row, write_table
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import KINDS, kind
from tests.rig.engines.litter import Litter
from tests.rig.engines.podman_cli import podman

MOST_TIMES = 1.0
_THEIRS = ("ps", "--all", "--size")


def measure(engine: Engine, containers: int, rounds: int) -> list[Row]:
    """A row of wall time, and one of our processor time."""
    dockersweep = Installed(HERE, engine.environment(), engine.run_directory / "dockersweep")

    def scan() -> Sample:
        done = dockersweep("scan", "--kind", "container")
        _check(done.output, containers)
        return done

    def lists() -> Sample:
        begun = time.perf_counter()
        output = podman(engine, *_THEIRS)
        wall = time.perf_counter() - begun
        _check(output, containers)
        return Sample(wall=wall, processor=0, peak=0, output=output)

    ours, theirs = in_turn(rounds, scan, lists)
    wall = [median(samples, lambda sample: sample.wall) for samples in (ours, theirs)]
    processor = median(ours, lambda sample: sample.processor)
    return [
        Row(f"scan of {containers} stopped containers", wall[0], f"podman {' '.join(_THEIRS)}", wall[1], MOST_TIMES),
        Row("its processor time, without the engine's", processor),
    ]


def _check(output: str, containers: int) -> None:
    if output.count("stopped-") < containers:
        raise BenchError("not every container is listed")


def main(arguments: Sequence[str]) -> int:
    """Print the table, with the load; return 1 where the aim is missed."""
    options = _parser().parse_args(arguments)
    with Engine(kind(options.engine)) as engine:
        make_stopped(Litter(engine), options.containers)
        rows = measure(engine, options.containers, options.rounds)
    sys.stdout.write(f"Load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors, {options.engine}.\n\n")
    return write_table(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("tests/bench/podman_list", description=__doc__)
    podmans = [one.name for one in KINDS if one.flavour == "podman"]
    parser.add_argument("--engine", choices=podmans, default=podmans[-1], help="default: %(default)s")
    parser.add_argument("--containers", type=int, default=1000, metavar="N", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=9, metavar="N", help="runs of each; default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
