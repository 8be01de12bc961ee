"""What is compared with what, and that both did the job."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

from tests.bench import custodian, layers
from tests.bench.measure import BenchError, Runner, Sample, in_turn, median, together
from tests.bench.table import Row
from tests.rig.engines.engine import Engine
from tests.rig.engines.heap import heap
from tests.rig.engines.litter import Litter

_ALL = ("--older-than", "0s", "--all-images", "--named-volumes")
_CUSTODIAN = ("--max-container-age", "0s", "--max-image-age", "0s", "--dangling-volumes", "--timeout", "300")
_PRUNES = ("container prune -f", "image prune -af", "volume prune -af", "network prune -f")
_START_ROUNDS = 20
_SWEEP_ROUNDS = 2


class Bench:
    """A full engine, and the means to run commands on it."""

    def __init__(self, engine: Engine, containers: int, images: int, volumes: int, rounds: int) -> None:
        """Fill when it is asked for, that much; run everything that many times."""
        self.counts = {"containers": containers, "images": images, "volumes": volumes}
        self.rounds = rounds
        self._engine = engine
        self._full = False
        environment = {name: value for name, value in engine.environment().items() if not name.startswith("PYTHON")}
        folder = str(engine.run_directory / "state")
        environment |= {"DOCKERSWEEP_STATE_DIR": folder, "DOCKERSWEEP_LOCK_DIR": folder}
        self._runner = Runner(environment, engine.run_directory)

    def fill(self) -> None:
        """See to it that the engine is full."""
        if not self._full:
            made = heap(Litter(self._engine), **self.counts)
            self._full = True
            self.check(
                {name: len(getattr(made, name)) for name in self.counts} == self.counts, "the engine was not filled"
            )

    def start_over(self, fill: Callable[[Litter], None]) -> Path:
        """Fill an engine that is empty in another way; return the folder of dockersweep's memory."""
        self._engine.wipe()
        fill(Litter(self._engine))
        self._full = False
        return self._engine.run_directory / "state"

    def check_empty(self, who: str) -> None:
        """See to it that nothing was left, by docker's own word."""
        self._full = False
        for listing in ("ps --all --quiet", "images --all --quiet", "volume ls --quiet"):
            left = self._engine.docker(*listing.split()).stdout.split()
            self.check(not left, f"{who} left {len(left)} behind (docker {listing})")

    @staticmethod
    def check(holds: bool, problem: str) -> None:
        """Raise BenchError where something does not hold."""
        if not holds:
            raise BenchError(problem)

    def dockersweep(self, *words: str) -> Sample:
        """Run the dockersweep of this checkout."""
        return self._runner.run(Path(sys.executable).with_name("dockersweep"), *words)

    def docker(self, *words: str) -> Sample:
        """Run docker."""
        return self._runner.run(self._engine.run_directory / "bin" / "docker", *words)

    def python(self, *words: str | Path, interpreter: str | Path = sys.executable) -> Sample:
        """Run an interpreter."""
        return self._runner.run(interpreter, *words)


def compare_scan(bench: Bench) -> list[Row]:
    """A scan beside `docker system df -v`, which tells the same sizes."""
    bench.fill()

    def ours() -> Sample:
        done = bench.dockersweep("scan", "--format", "json")
        told = json.loads(done.output)
        bench.check(all(len(told[name]) >= count for name, count in bench.counts.items()), "scan missed something")
        return done

    def theirs() -> Sample:
        done = bench.docker("system", "df", "-v")
        bench.check(done.output.count("\n") > sum(bench.counts.values()), "docker system df -v missed something")
        return done

    scans, usages = in_turn(bench.rounds, ours, theirs)
    beside = "docker system df -v"
    return [
        _wall("scan --format json", scans, beside, usages, aim=1.5),
        Row("its processor time", median(scans, _processor), beside, median(usages, _processor)),
        Row("its peak memory", max(sample.peak for sample in scans), aim=80_000_000, unit="MB"),
    ]


def compare_plan(bench: Bench) -> list[Row]:
    """A plan beside a dry run of docker-custodian, which does not see what its removals would set free."""
    bench.fill()
    interpreter = custodian.python()

    def ours() -> Sample:
        done = bench.dockersweep("plan", *_ALL)
        told = re.search(r"([\d,]+) objects? to remove", done.output)
        going = int(told[1].replace(",", "")) if told else 0
        bench.check(going >= sum(bench.counts.values()), f"plan removes {going} only")
        return done

    def theirs() -> Sample:
        done = bench.python("-m", "docker_custodian.docker_gc", "--dry-run", *_CUSTODIAN, interpreter=interpreter)
        going = done.output.count("Removing container")
        bench.check(going >= bench.counts["containers"], f"dcgc removes {going} containers only")
        return done

    plans, dry_runs = in_turn(bench.rounds, ours, theirs)
    return [_wall("plan, everything unused", plans, "dcgc --dry-run", dry_runs, aim=0.2)]


def compare_sweep(bench: Bench) -> list[Row]:
    """A sweep beside the four prunes, on the same objects: the engine is filled again for each."""

    def ours() -> Sample:
        bench.fill()
        done = bench.dockersweep("sweep", "--yes", "--yes-first-time", *_ALL)
        bench.check_empty("sweep")
        return done

    def theirs() -> Sample:
        bench.fill()
        done = together([bench.docker(*prune.split()) for prune in _PRUNES])
        bench.check_empty("the four prunes")
        return done

    # Two at the most and no warm-up: removing much takes long and varies little.
    sweeps, prunes = in_turn(min(bench.rounds, _SWEEP_ROUNDS), ours, theirs, warm=False)
    return [
        _wall("sweep --yes, everything unused", sweeps, "the four docker prunes", prunes, aim=1.0),
        Row("its peak memory", max(sample.peak for sample in sweeps), aim=80_000_000, unit="MB"),
    ]


def compare_start(bench: Bench) -> list[Row]:
    """What tells about the program itself beside the bare interpreter."""
    helps, versions, bare = in_turn(
        _START_ROUNDS,
        lambda: bench.dockersweep("--help"),
        lambda: bench.dockersweep("--version"),
        lambda: bench.python("-c", "pass"),
    )
    return [
        _wall(what, samples, "python3 -c pass", bare, aim=2.0)
        for what, samples in (("--help", helps), ("--version", versions))
    ]


def compare_layers(bench: Bench) -> list[Row]:
    """Scans with and without what their layers take, and a plan of very many."""
    state = bench.start_over(layers.fill)
    found = layers.rows(lambda *words: bench.dockersweep("scan", "--format", "json", *words), state, bench.rounds)
    saved = state.with_name("large.json")
    parts = layers.large_inventory(json.loads(bench.dockersweep("scan", "--format", "json").output), saved)
    bench.check(parts == 220_000, f"the large inventory has {parts} parts")

    def plan() -> Sample:
        done = bench.dockersweep("plan", "--inventory", str(saved), "--all-images", "--older-than", "0s")
        bench.check("20,000 objects to remove" in done.output, "the plan does not remove 20,000 images")
        return done

    (plans,) = in_turn(bench.rounds, plan)
    return [*found, layers.plan_row(plans)]


COMPARISONS: dict[str, Callable[[Bench], list[Row]]] = {
    "start": compare_start,
    "scan": compare_scan,
    "plan": compare_plan,
    "sweep": compare_sweep,
    "layers": compare_layers,
}
"""By the names that `--only` takes, in the order in which they are done."""


def _wall(what: str, ours: list[Sample], beside: str, theirs: list[Sample], aim: float) -> Row:
    return Row(what, median(ours, _seconds), beside, median(theirs, _seconds), aim)


def _seconds(sample: Sample) -> float:
    return sample.wall


def _processor(sample: Sample) -> float:
    return sample.processor
