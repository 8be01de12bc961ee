"""How long a report takes that measures 100,000 folders of layers, beside `du -sx` of the same tree.

Warm, with all of it in the kernel's caches, and cold, with none of it; each time the first report of an engine, and
the next one, which knows the layers from the ledger.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from tests.bench.measure import Runner, Sample, in_turn, median
from tests.bench.table import Row, write_table
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import DEFAULT_KIND, kind
from tests.rig.engines.litter import Litter

FOLDERS, LAYERS = 100_000, 100
WARM, COLD = 5, 3
"""How many rounds."""
MOST_TIMES_WARM, MOST_TIMES_COLD = 2.0, 1.2
_DROP_CACHES = Path("/proc/sys/vm/drop_caches")


def _fill(engine: Engine, count: int) -> None:
    """Put that many folders into layers of an image, with a file in each."""
    Litter(engine).image("app:1", layers={f"layer-{number}": 10_000 for number in range(LAYERS)})
    for layer in islice((engine.data_root / "overlay2").glob("*/diff"), LAYERS):
        for number in range(count // LAYERS):
            folder = layer / f"usr/{number % 10}" / str(number)
            folder.mkdir(parents=True)
            (folder / "file").write_bytes(b"x" * 100)


def _forget(state: Path) -> None:
    shutil.rmtree(state, ignore_errors=True)


def _drop_caches() -> None:
    os.sync()
    _DROP_CACHES.write_text("3")


def _report(runner: Runner, engine: Engine, before: Callable[[], None]) -> Callable[[], Sample]:
    words = "-P", "-m", "dockersweep", "-H", engine.url, "report", "--policy", "default", "--format", "json"

    def job() -> Sample:
        before()
        # What is cold is the tree, and not our own program.
        runner.run(sys.executable, "-P", "-m", "dockersweep", "-H", engine.url, "scan", "--no-sizes", "--no-ledger")
        return runner.run(sys.executable, *words)

    return job


def _du(runner: Runner, engine: Engine, before: Callable[[], None]) -> Callable[[], Sample]:
    def job() -> Sample:
        before()
        return runner.run("du", "-sx", engine.data_root)

    return job


def measure(engine: Engine) -> list[Row]:
    """A row for each way."""
    state = engine.run_directory / "state"
    checkout = str(Path(__file__).parents[2])
    # As it is installed: compiled.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    runner = Runner({**variables, "PYTHONPATH": checkout, "DOCKERSWEEP_STATE_DIR": str(state)}, engine.run_directory)
    rows = []
    for how, rounds, aim, before in (
        ("warm", WARM, MOST_TIMES_WARM, lambda: None),
        ("cold", COLD, MOST_TIMES_COLD, _drop_caches),
    ):
        du = _du(runner, engine, before)
        for which, forgets in (("first", True), ("next", False)):

            def prepared(before: Callable[[], None] = before, forgets: bool = forgets) -> None:
                if forgets:
                    _forget(state)
                before()

            ours, theirs = in_turn(rounds, _report(runner, engine, prepared), du)
            seconds = [median(samples, lambda sample: sample.wall) for samples in (ours, theirs)]
            rows.append(Row(f"{how}, {which} report", seconds[0], "du -sx", seconds[1], aim=aim))
    return rows


def main(arguments: Sequence[str]) -> int:
    """Print the table, with the load; return 1 where an aim is missed."""
    count = _parser().parse_args(arguments).folders
    with Engine(kind(DEFAULT_KIND)) as engine:
        _fill(engine, count)
        rows = measure(engine)
    load = os.getloadavg()[0]
    sys.stdout.write(f"{count:,} folders of layers; load {load:.1f} on {os.cpu_count()} processors.\n\n")
    return write_table(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests/bench/walking",
        description="Run reports of an engine that measure so many folders of layers, in turn with du -sx of the same "
        "tree, warm and cold. Prints a Markdown table, and fails where an aim is missed.",
    )
    parser.add_argument("folders", metavar="FOLDERS", nargs="?", type=int, default=FOLDERS, help="default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
