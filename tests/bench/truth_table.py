"""Predicts, sweeps and measures on every engine, and prints the table: see `tests/bench/truth --help`."""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from tests.bench.measure import write_row
from tests.rig.engines import disks
from tests.rig.engines.engine import Engine
from tests.rig.engines.hosts import HOSTS, Host
from tests.rig.engines.kinds import CannotDo
from tests.rig.engines.litter import Litter
from tests.rig.engines.scenarios import SCENARIOS, Scenario, Step
from tests.rig.engines.truth_trial import Prediction, Trial, put_on_trial, tolerance
from tests.rig.running import unasked

_HEADINGS = ("engine", "scenario", "base", "predicted", "freed", "error", "docker says")
_DOCKER_WORDS = {
    "image": "Images",
    "container": "Containers",
    "volume": "Local Volumes",
    "build-cache": "Build Cache",
}
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_SMALL_TRUTH = 10_000_000
_LIMIT = 300
_TRIES = 5


@dataclass(frozen=True)
class Row:
    """One prediction beside the truth; two of them, near and far, share what docker says."""

    engine: str
    scenario: str
    prediction: Prediction
    freed: int
    docker: int

    @property
    def error(self) -> float:
        """By how much the interval misses the truth, as a share of it."""
        return self.prediction.total.error(self.freed) / max(self.freed, _SMALL_TRUTH)

    @property
    def holds(self) -> bool:
        """Whether the interval holds what came back."""
        return abs(self.prediction.total.error(self.freed)) <= tolerance(self.freed)

    @property
    def docker_error(self) -> float:
        """The same of what docker says."""
        return (self.docker - self.freed) / max(self.freed, _SMALL_TRUTH)

    def cells(self) -> tuple[str, ...]:
        """The row as text."""
        total = self.prediction.total
        high = "?" if total.high is None else _megabytes(total.high)
        low = _megabytes(total.low)
        return (
            self.engine,
            self.scenario,
            self.prediction.base,
            low if low == high else f"{low} to {high}",
            _megabytes(self.freed),
            f"{self.error:.1%}" if self.holds else f"**{self.error:.1%}**",
            _megabytes(self.docker),
        )


@dataclass(frozen=True)
class Failure:
    """What could not be measured."""

    engine: str
    scenario: str
    why: Exception

    @property
    def holds(self) -> bool:
        """It says nothing of what came back, and so does not hold it."""
        return False

    def cells(self) -> tuple[str, ...]:
        """The row as text."""
        first_line = (str(self.why).splitlines() or [""])[0].replace("|", "\\|")
        return self.engine, self.scenario, f"**failed: {type(self.why).__name__}: {first_line}**", "", "", "", ""


def main(arguments: Sequence[str]) -> int:
    """Measure, print each row as it is known, and return 1 where one does not hold the truth or is not known."""
    options = _parser().parse_args(arguments)
    chosen = [scenario for scenario in SCENARIOS if not options.only or scenario.name in options.only]
    hosts = [one for one in HOSTS if not options.engine or one.name in options.engine]
    told: list[Row | Failure] = []
    disks.have_own_mounts()
    write_row(*_HEADINGS)
    write_row("---", "---", "---", "---:", "---:", "---:", "---:")
    for one in chain.from_iterable(_measured(host, chosen) for host in hosts):
        write_row(*one.cells())
        told.append(one)
    sys.stdout.write("".join(f"\n{line}\n" for line in _summary(told)))
    return 0 if all(one.holds for one in told) else 1


def _measured(host: Host, scenarios: Sequence[Scenario]) -> Iterator[Row | Failure]:
    """Measure these scenarios on one engine; one that fails is told, and the next goes on with a new data root."""
    try:
        with host.engine() as engine:
            for scenario in scenarios:
                _tell(f"{host}: {scenario}")
                try:
                    yield from _rows(host, engine, scenario)
                except Exception as error:
                    yield _failed(host, scenario.name, error)
                    engine.spoil()
    except Exception as error:
        yield _failed(host, "the engine itself", error)


def _failed(host: Host, what: str, error: Exception) -> Failure:
    _tell(f"{host}: {what} failed:\n{''.join(traceback.format_exception(error))}")
    return Failure(host.name, what, error)


def _summary(told: Sequence[Row | Failure]) -> Iterator[str]:
    rows = [one for one in told if isinstance(one, Row)]
    if len(rows) < len(told):
        yield f"{len(told) - len(rows)} could not be measured."
    for base in ("disk", "lengths"):
        ours = [row for row in rows if row.prediction.base == base]
        if ours:
            right = sum(row.holds for row in ours)
            exact = sum(row.holds and row.prediction.total.width == 0 for row in ours)
            yield f"In {base}: {right} of {len(ours)} intervals hold what came back, {exact} of them without any width."
    near = [row for row in rows if row.prediction.base == "disk"]
    if near:
        close = sum(abs(row.docker_error) <= 0.01 for row in near)
        median = statistics.median(abs(row.docker_error) for row in near)
        yield f"docker system df is within 1 % of the disk in {close} of {len(near)}; its median error is {median:.0%}."


def _rows(host: Host, engine: Engine, scenario: Scenario) -> Iterator[Row]:
    engine.wipe()
    try:
        scenario.litter(Litter(engine))
    except CannotDo as reason:
        _tell(f"left out: {reason}")
        return
    for step in scenario.steps:
        docker = _docker_says(engine, step)
        trial = put_on_trial(engine, step, _Installed(engine))
        yield from _both(host, trial, f"{scenario}: {step.what}", docker)


def _both(host: Host, trial: Trial, what: str, docker: int) -> Iterator[Row]:
    for prediction in (trial.near, trial.far):
        yield Row(host.name, what, prediction, trial.truth(prediction), docker)


class _Installed:
    """Runs the dockersweep of this checkout, with a memory of its own."""

    def __init__(self, engine: Engine) -> None:
        folder = str(engine.run_directory / "state")
        self._environment = {**os.environ, "DOCKERSWEEP_STATE_DIR": folder, "DOCKERSWEEP_LOCK_DIR": folder}

    def __call__(self, *words: str, host: str) -> Any:
        command = [str(Path(sys.executable).with_name("dockersweep")), "-H", host, *words, *unasked(words)]
        done = subprocess.run(
            command, env=self._environment, stdout=subprocess.PIPE, text=True, timeout=_LIMIT, check=True
        )
        return json.loads(done.stdout)


def _docker_says(engine: Engine, step: Step) -> int:
    """RECLAIMABLE of `docker system df`, of the kinds that the step takes from."""
    kinds = [word for flag, word in zip(step.picks, step.picks[1:], strict=False) if flag == "--kind"]
    wanted = {_DOCKER_WORDS[one] for one in kinds or _DOCKER_WORDS}
    words = ("system", "df", "--format", "{{json .}}")
    # While a snapshot comes and goes, df on the containerd store finds it missing and fails; the last try tells why.
    tries = (engine.docker(*words, check=False) for _ in range(_TRIES))
    told = next((one for one in tries if one.returncode == 0), None) or engine.docker(*words)
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    return sum(_bytes(row["Reclaimable"]) for row in rows if row["Type"] in wanted)


def _bytes(text: str) -> int:
    """Bytes of docker's words for them, like "127.8MB (92%)"."""
    found = re.match(r"(-?[\d.e+]+)([kMG]?B)", text)
    return round(float(found[1]) * _UNITS[found[2]]) if found else 0


def _megabytes(size: int) -> str:
    return f"{size / 10**6:.2f} MB"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests/bench/truth",
        description="Litter throw-away engines, predict with dockersweep what a sweep frees, sweep, and measure. "
        "Prints a Markdown table, each row as it is known, with what `docker system df` calls reclaimable beside it. "
        "`disk` is told by one who can read the engine's disk, and held against its blocks; `lengths` by one who has "
        "the engine's word only, and held against its own metadata. An engine that fails is told in a row, and the "
        "rest goes on. Fails where an interval does not hold what came back, and where one could not be measured.",
    )
    names = [one.name for one in HOSTS]
    parser.add_argument("--engine", action="append", choices=names, help="one engine; repeatable; default: all")
    known = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--only", action="append", choices=known, metavar="SCENARIO", help=f"of {', '.join(known)}")
    return parser


def _tell(text: str) -> None:
    sys.stderr.write(f"truth: {text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
