"""How the processor time and the memory of this checkout compare with those of another commit, run side by side.

Both run the same verbs on the same saved inventories, in turn: `report` of 10,000 objects in each format and `explain`
at 100,000, each as a process with user and system time and its peak memory; planning of 100,000 objects under 20 rules
counts planning alone. Needs no engine.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dockersweep.model.inventory import Object
from dockersweep.model.naming import id_of
from dockersweep.words.documents import write_document
from tests.bench.installed import HERE, checkout_of
from tests.bench.measure import Runner, Sample, in_turn, write_row
from tests.bench.planning import POLICY, objects
from tests.bench.reporting import COUNT, FORMATS, full_inventory
from tests.rig.inventories import inventory

MANY = 100_000
ROUNDS = 3
MOST = {"report": 0.5, "explain": 0.5, "planning": 0.6}
"""How many times the processor time of the other commit each may take."""


def _words(folder: Path) -> Iterator[tuple[str, list[str | Path]]]:
    """Yield the verbs that are measured, by name."""
    small, large, rules = folder / "small.json", folder / "large.json", folder / "rules.toml"
    small.write_text(write_document(full_inventory(COUNT)))
    seen = inventory(*objects(MANY))
    large.write_text(write_document(seen))
    rules.write_text(POLICY)
    for name in FORMATS:
        yield f"report {name}", ["report", "--policy", "default", "--inventory", small, "--format", name]
    of_kind: dict[str, Sequence[Object]] = {"container": seen.containers, "image": seen.images, "volume": seen.volumes}
    for kind, listed in of_kind.items():
        for policy in ("default", rules):
            words = ["explain", f"{kind}:{id_of(listed[-1])}", "--policy", policy]
            yield f"explain {kind}, {'default' if policy == 'default' else '20 rules'}", [*words, "--inventory", large]


def _job(runner: Runner, words: Sequence[str | Path]) -> Callable[[], Sample]:
    return lambda: runner.run(sys.executable, "-P", "-m", "dockersweep", *words)


def _planning(runner: Runner) -> Callable[[], Sample]:
    def plan() -> Sample:
        sample = runner.run(sys.executable, "-P", "-m", "tests.bench.planning", "--one", str(MANY))
        told = json.loads(sample.output)
        return Sample(told["seconds"], told["processor"], told["bytes"], sample.output)

    return plan


def _runner(checkout: Path, folder: Path) -> Runner:
    own = folder / checkout.name
    own.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(checkout), "XDG_STATE_HOME": str(folder)}
    # What is installed is compiled; a run that compiles all of it anew measures the compiler.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = str(own / "compiled")
    return Runner(environment, own)


def main(arguments: Sequence[str]) -> int:
    """Measure and print a table; return 1 where a bound is not met."""
    options = _parser().parse_args(arguments)
    is_met = True
    with checkout_of(options.commit) as other, tempfile.TemporaryDirectory(prefix="dsw-bench-") as temporary:
        folder = Path(temporary)
        before, now = _runner(other, folder), _runner(HERE, folder)
        jobs = {name: (_job(before, words), _job(now, words)) for name, words in _words(folder)}
        jobs["planning"] = _planning(before), _planning(now)
        sys.stdout.write(
            "| | seconds before | now | times | MB before | now | times |\n|---|--:|--:|--:|--:|--:|--:|\n"
        )
        for name, (one, other_one) in jobs.items():
            was, became = (
                min(samples, key=lambda sample: sample.processor) for samples in in_turn(options.rounds, one, other_one)
            )
            times, memory = became.processor / was.processor, became.peak / was.peak
            is_met &= times <= MOST[name.partition(" ")[0]] and memory <= 1.02
            seconds = f"{was.processor:.2f}", f"{became.processor:.2f}", f"{times:.2f}"
            write_row(name, *seconds, f"{was.peak / 1e6:.0f}", f"{became.peak / 1e6:.0f}", f"{memory:.2f}")
    return 0 if is_met else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests/bench/against",
        description="Run the verbs of this checkout and of another commit in turn on the same saved inventories, and "
        "print processor time and peak memory of both in a Markdown table. Fails where a bound is not met. Needs no "
        "engine.",
    )
    parser.add_argument("commit", metavar="COMMIT", help="what to compare with, as git names it")
    parser.add_argument("rounds", metavar="ROUNDS", nargs="?", type=int, default=ROUNDS, help="default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
