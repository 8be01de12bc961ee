"""How long a run takes that has little to do: a plan of a small engine, --version and --help.

    tests/bench/starting [ROUNDS]

Whole processes, in turn: the first beside `docker system df -v`, the others beside a bare interpreter. They run as
they are installed, with nothing beside them that only developers have: msgspec imports typing_extensions where that is
there, which mypy brings along and which imports as much as a plan.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tomllib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.bench.measure import Runner, Sample, in_turn, median
from tests.bench.table import Row, markdown
from tests.bench.virtual_environment import python_with
from tests.rig.engines.engine import Engine
from tests.rig.engines.heap import heap
from tests.rig.engines.kinds import DEFAULT_KIND, kind
from tests.rig.engines.litter import Litter

ROUNDS = 9
IMAGES, CONTAINERS, VOLUMES = 20, 15, 10
MOST_TIMES_DF, MOST_TIMES_BARE = 4.5, 1.6
_CHECKOUT = Path(__file__).parents[2]
_SCRIPT = """
import sys
from dockersweep.__main__ import main
if __name__ == "__main__":
    sys.argv[0] = sys.argv[0].removesuffix(".exe")
    sys.exit(main())
"""
"""As pip writes it today. Older ones import re, which takes longer than all that --version imports."""


def _python() -> Path:
    """The interpreter that has what dockersweep requires, and nothing else."""
    requirements = tomllib.loads((_CHECKOUT / "pyproject.toml").read_text())["project"]["dependencies"]
    recipe = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:8]
    return python_with(f"dockersweep-{recipe}", *requirements)


class _Programs:
    """What is measured, on one engine."""

    def __init__(self, engine: Engine) -> None:
        # As it is installed: compiled.
        environment = {name: value for name, value in engine.environment().items() if not name.startswith("PYTHON")}
        environment |= {"PYTHONPATH": str(_CHECKOUT), "DOCKERSWEEP_STATE_DIR": str(engine.run_directory / "state")}
        self._runner = Runner(environment, engine.run_directory)
        self._docker = engine.run_directory / "bin" / "docker"
        self._python = _python()
        self._script = engine.run_directory / "dockersweep"
        self._script.write_text(_SCRIPT)

    def dockersweep(self, *words: str) -> Sample:
        return self._runner.run(self._python, "-P", self._script, *words)

    def usage(self) -> Sample:
        return self._runner.run(self._docker, "system", "df", "-v")

    def bare(self) -> Sample:
        return self._runner.run(self._python, "-P", "-c", "pass")


def measure(engine: Engine, rounds: int) -> list[Row]:
    """A row of wall time and one of processor time for each."""
    programs = _Programs(engine)
    rows = []
    for words, aim in (("plan", MOST_TIMES_DF), ("plan --older-than 0s", MOST_TIMES_DF), ("scan --format json", None)):
        ours, theirs = in_turn(rounds, partial(programs.dockersweep, *words.split()), programs.usage)
        rows += _rows(words, ours, "docker system df -v", theirs, aim)
    for flag in ("--version", "--help"):
        ours, theirs = in_turn(rounds, partial(programs.dockersweep, flag), programs.bare)
        rows += _rows(flag, ours, "python3 -c pass", theirs, MOST_TIMES_BARE)
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
    rounds = int(arguments[0]) if arguments else ROUNDS
    with Engine(kind(DEFAULT_KIND)) as engine:
        heap(Litter(engine), images=IMAGES, containers=CONTAINERS, volumes=VOLUMES)
        rows = measure(engine, rounds)
    load = os.getloadavg()[0]
    what = f"{IMAGES} images, {CONTAINERS} containers, {VOLUMES} volumes on {DEFAULT_KIND}; medians of {rounds}"
    sys.stdout.write(f"{what}; load {load:.1f} on {os.cpu_count()} processors.\n\n{markdown(rows)}\n")
    return int(any(row.met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
