"""Measures dockersweep against the tools that people have: see `tests/bench/run --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tests.bench.comparisons import COMPARISONS, Bench
from tests.bench.measure import BenchError
from tests.bench.table import Row, markdown
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import kind, parser_with_engine


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table, and return the exit status."""
    options = _parser().parse_args(arguments)
    chosen = kind(options.engine)
    try:
        with Engine(chosen) as engine:
            bench = Bench(engine, options.containers, options.images, options.volumes, options.rounds)
            rows = _measured(bench, options.only or list(COMPARISONS))
    except BenchError as error:
        _tell(str(error))
        return 1
    heading = f"{options.containers} containers, {options.images} images, {options.volumes} volumes on {chosen.name}"
    sys.stdout.write(f"Medians with {heading}.\n\n{markdown(rows)}")
    return 0


def _measured(bench: Bench, names: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    for name, compare in COMPARISONS.items():
        if name in names:
            _tell(f"measuring {name}")
            rows += compare(bench)
    return rows


def _parser() -> argparse.ArgumentParser:
    parser = parser_with_engine(
        "tests/bench/run",
        "Fill a throw-away engine and measure dockersweep on it, run after run in turn with docker and "
        "docker-custodian. Prints a Markdown table. Fails only where one of them did not do its job.",
    )
    for what, many in (("containers", 1000), ("images", 1000), ("volumes", 2000)):
        parser.add_argument(f"--{what}", type=int, default=many, metavar="N", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="runs of each; sweeps take two at most")
    parser.add_argument("--only", action="append", choices=list(COMPARISONS), help="one comparison; repeatable")
    return parser


def _tell(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
