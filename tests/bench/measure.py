"""Commands that are run and measured, in turn."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TIMED = Path(__file__).with_name("timed.py")
_LIMIT = 300


class BenchError(Exception):
    """A command did not do its job, so that its time says nothing."""


@dataclass(frozen=True)
class Sample:
    """One run of a command, or of several that do one job together."""

    wall: float
    """Seconds."""
    processor: float
    """Seconds of the command's own, in user and system mode; the engine's are not in it."""
    peak: int
    """Resident bytes."""
    output: str


def write_row(*cells: str) -> None:
    """Write a row of a Markdown table to standard output, at once."""
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


class Runner:
    """Runs commands in one environment, with their output in a folder."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        """Use that environment and that folder."""
        self._environment = dict(environment)
        self._output = folder / "output"

    def run(self, *command: str | Path) -> Sample:
        """Run a command once; raises BenchError where it fails."""
        words = [str(word) for word in command]
        done = subprocess.run(
            [sys.executable, "-I", str(_TIMED), str(_LIMIT), str(self._output), *words],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=_LIMIT + 30,
            check=True,
        )
        told = json.loads(done.stdout)
        if told["status"] != 0:
            errors = Path(f"{self._output}.errors").read_text(errors="replace")
            raise BenchError(f"{' '.join(words)} ended with {told['status']}:\n{errors[-2000:]}")
        return Sample(told["wall"], told["processor"], told["peak"], self._output.read_text(errors="replace"))


def together(samples: Sequence[Sample]) -> Sample:
    """Several commands, one after the other, as one."""
    return Sample(
        wall=sum(sample.wall for sample in samples),
        processor=sum(sample.processor for sample in samples),
        peak=max(sample.peak for sample in samples),
        output="".join(sample.output for sample in samples),
    )


def in_turn(rounds: int, *jobs: Callable[[], Sample], warm: bool = True) -> list[list[Sample]]:
    """The samples of each job, run after run in turn; with `warm` a first run of each does not count."""
    if warm:
        for job in jobs:
            job()
    samples: list[list[Sample]] = [[] for _ in jobs]
    for _ in range(rounds):
        for job, into in zip(jobs, samples, strict=True):
            into.append(job())
    return samples


def median(samples: Sequence[Sample], what: Callable[[Sample], float]) -> float:
    """The median of one figure."""
    return statistics.median(map(what, samples))
