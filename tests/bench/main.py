"""Measures dockersweep against the tools that people have: see `tests/bench/run --help`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.comparisons import COMPARISONS, HEAPS, Bench, Size
from tests.bench.installed import HERE, Installed, checkout_of
from tests.bench.measure import BenchError
from tests.bench.table import Row, markdown
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import kind, parser_with_engine


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table, and return the exit status."""
    options = _parser().parse_args(arguments)
    chosen = kind(options.engine)
    size = Size(**{name: getattr(options, name) for name in Size.__annotations__})
    try:
        with Engine(chosen) as engine, _bench(engine, size, options) as bench:
            rows = _measured(bench, options.only or list(COMPARISONS))
    except BenchError as error:
        _tell(str(error))
        return 1
    what = f"{size.containers} containers, {size.images} images ({size.heap}), {size.volumes} volumes on {chosen.name}"
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    sys.stdout.write(f"Medians of {size.rounds} with {what}; {load}.\n\n{markdown(rows)}")
    return 0


@contextmanager
def _bench(engine: Engine, size: Size, options: argparse.Namespace) -> Iterator[Bench]:
    python = sys.executable if options.as_is else None

    def installed(checkout: Path, name: str) -> Installed:
        return Installed(checkout, engine.environment(), engine.run_directory / name, python)

    with ExitStack() as stack:
        before = None
        if options.before:
            before = installed(stack.enter_context(checkout_of(options.before)), "before")
        yield Bench(engine, size, installed(HERE, "dockersweep"), before)


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
    parser.add_argument(
        "--heap", choices=list(HEAPS), default="one-base", help="how many layers the images share; default: %(default)s"
    )
    parser.add_argument("--rounds", type=int, default=9, metavar="N", help="runs of each; default: %(default)s")
    parser.add_argument("--sweeps", type=int, default=3, metavar="N", help="sweeps of each; default: %(default)s")
    parser.add_argument("--before", metavar="COMMIT", help="compare processor time and memory with that commit's")
    parser.add_argument("--as-is", action="store_true", help="run in this interpreter, whatever it has besides")
    parser.add_argument("--only", action="append", choices=list(COMPARISONS), help="one comparison; repeatable")
    return parser


def _tell(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
