"""How long a run takes that has little to do: a plan of a small engine, --version, --help, and what docker asks of a
plugin.

Whole processes, in turn: the first beside `docker system df -v`, the others beside a bare interpreter.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial

from tests.bench.installed import HERE, Installed
from tests.bench.measure import Runner, Sample, in_turn, median
from tests.bench.table import Row, write_table
from tests.rig.engines.engine import Engine
from tests.rig.engines.heap import heap
from tests.rig.engines.kinds import DEFAULT_KIND, kind
from tests.rig.engines.litter import Litter

ROUNDS = 9
IMAGES, CONTAINERS, VOLUMES = 20, 15, 10
MOST_TIMES_DF, MOST_TIMES_BARE, MOST_TIMES_BARE_OF_PLUGIN = 4.5, 1.6, 2.0


def measure(engine: Engine, rounds: int) -> list[Row]:
    """A row of wall time and one of processor time for each."""
    dockersweep = Installed(HERE, engine.environment(), engine.run_directory / "dockersweep")
    runner = Runner(engine.environment(), engine.run_directory)
    docker = engine.run_directory / "bin" / "docker"
    rows = []
    for words, aim in (("plan", MOST_TIMES_DF), ("plan --older-than 0s", MOST_TIMES_DF), ("scan --format json", None)):
        ours, theirs = in_turn(
            rounds, partial(dockersweep, *words.split()), partial(runner.run, docker, "system", "df", "-v")
        )
        rows += _rows(words, ours, "docker system df -v", theirs, aim)
    bare = partial(runner.run, dockersweep.python, "-P", "-c", "pass")
    for flag in ("--version", "--help"):
        ours, theirs = in_turn(rounds, partial(dockersweep, flag), bare)
        rows += _rows(flag, ours, "python3 -c pass", theirs, MOST_TIMES_BARE)
    ours, theirs = in_turn(rounds, dockersweep.as_plugin, bare)
    rows += _rows("docker-cli-plugin-metadata", ours, "python3 -c pass", theirs, MOST_TIMES_BARE_OF_PLUGIN)
    return rows


def _rows(what: str, ours: list[Sample], beside: str, theirs: list[Sample], aim: float | None) -> list[Row]:
    wall = [median(samples, lambda sample: sample.wall) for samples in (ours, theirs)]
    processor = [median(samples, lambda sample: sample.processor) for samples in (ours, theirs)]
    return [
        Row(what, wall[0], beside, wall[1], aim=aim),
        Row("its processor time", processor[0], beside, processor[1]),
    ]


def main(arguments: Sequence[str]) -> int:
    """Print the table, with the load; return 1 where an aim is missed."""
    rounds = _parser().parse_args(arguments).rounds
    with Engine(kind(DEFAULT_KIND)) as engine:
        heap(Litter(engine), images=IMAGES, containers=CONTAINERS, volumes=VOLUMES)
        rows = measure(engine, rounds)
    load = os.getloadavg()[0]
    what = f"{IMAGES} images, {CONTAINERS} containers, {VOLUMES} volumes on {DEFAULT_KIND}; medians of {rounds}"
    sys.stdout.write(f"{what}; load {load:.1f} on {os.cpu_count()} processors.\n\n")
    return write_table(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests/bench/starting",
        description="Run a plan of a small engine in turn with docker system df -v, and --version, --help and what "
        "docker asks of a plugin with a bare interpreter. Prints a Markdown table, and fails where an aim is missed.",
    )
    parser.add_argument(
        "rounds", metavar="ROUNDS", nargs="?", type=int, default=ROUNDS, help="runs of each; default: %(default)s"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
