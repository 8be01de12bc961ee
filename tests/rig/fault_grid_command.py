"""The whole fault grid of each engine, as a command: what `tests/grid` runs."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from tempfile import TemporaryDirectory

from tests.rig.engines import roots
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import KINDS, kind
from tests.rig.fault_grid import Cell, grid_of

_ENGINES_AT_ONCE = 3


def table(cells: Sequence[Cell]) -> str:
    """Return the grid of one engine in Markdown: a call a row, a fault a column."""
    faults = list(dict.fromkeys(cell.fault.name for cell in cells))
    told = {(str(cell.call), cell.fault.name): str(cell) for cell in cells}
    lines = ["| call | " + " | ".join(faults) + " |", "|---" * (len(faults) + 1) + "|"]
    for call in dict.fromkeys(str(cell.call) for cell in cells):
        lines.append(f"| `{call}` | " + " | ".join(told.get((call, fault), "") for fault in faults) + " |")
    return "\n".join(lines) + "\n"


def whole(name: str, repair: bool) -> tuple[str, int]:
    """Try every cell on the engine of that name; return what is to be told in Markdown, and how many did not hold."""
    try:
        return _whole(name, repair)
    except Exception:
        # Not every error can travel from one process to another.
        return f"## {name}\n\n```\n{traceback.format_exc()}```\n", 1


def _whole(name: str, repair: bool) -> tuple[str, int]:
    with Engine(kind(name)) as engine, grid_of(engine) as grid:
        begun = time.monotonic()
        calls = grid.calls()
        cells = list(grid.cells([(call, fault) for call in calls for fault in call.faults], repair))
        wrong = [f"`{cell.call}`, {cell.fault}: {'; '.join(cell.problems)}" for cell in cells if cell.problems]
        wrong += grid.unrepaired()
        seconds = time.monotonic() - begun
    text = f"## {name}\n\n{len(calls)} calls, {len(cells)} cells, {seconds:.0f} seconds, {len(wrong)} problems\n\n"
    text += "".join(f"- {line}\n" for line in wrong) + ("\n" if wrong else "")
    return text + table(cells), len(wrong)


def main(arguments: Sequence[str]) -> int:
    """Print the grid of each engine; return 1 where a cell does not hold."""
    parser = argparse.ArgumentParser(
        prog="tests/grid", description="Let every call that a scan and a sweep make go wrong in every way."
    )
    names = [one.name for one in KINDS]
    parser.add_argument("engine", nargs="*", metavar="ENGINE", help=f"default is all: {', '.join(names)}")
    parser.add_argument("--repair-each", action="store_true", help="after each cell, see that the next run is whole")
    options = parser.parse_args(arguments)
    wrong = 0
    with TemporaryDirectory(prefix="dsw-grid-home-") as home:
        for name in [name for name in os.environ if name.startswith(("DOCKER", "CONTAINER_HOST"))]:
            del os.environ[name]
        ours = {"HOME": home, "DOCKERSWEEP_STATE_DIR": f"{home}/state", "DOCKERSWEEP_TEST_CACHE": str(roots.CACHE)}
        ours["DOCKERSWEEP_LOCK_DIR"] = home
        os.environ |= ours
        with ProcessPoolExecutor(_ENGINES_AT_ONCE, mp_context=get_context("spawn")) as pool:
            for text, problems in pool.map(whole, options.engine or names, repeat(options.repair_each)):
                sys.stdout.write(f"{text}\n")
                sys.stdout.flush()
                wrong += problems
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
