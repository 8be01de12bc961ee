"""What is compared with what, and that both did the job."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench import custodian, layers
from tests.bench.installed import Installed
from tests.bench.measure import BenchError, Runner, Sample, in_turn, median, together
from tests.bench.table import Row
from tests.rig.engines.engine import Engine
from tests.rig.engines.heap import heap
from tests.rig.engines.litter import Litter

_ALL = ("--older-than", "0s", "--all-images", "--named-volumes")
_CUSTODIAN = ("--max-container-age", "0s", "--max-image-age", "0s", "--dangling-volumes", "--timeout", "300")
_USAGE = "docker system df -v"
_PRUNES = ("container prune -f", "image prune -af", "volume prune -af", "network prune -f")
_START_ROUNDS = 20
HEAPS = {"one-base": {"bases": 1, "middles": 0}, "ten-bases": {"bases": 10, "middles": 50}}
"""On how many layers the images stand, by the names that `--heap` takes."""


@dataclass(frozen=True)
class Size:
    """How much is measured, and how often."""

    containers: int
    images: int
    volumes: int
    heap: str
    rounds: int
    sweeps: int

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of what."""
        return {"containers": self.containers, "images": self.images, "volumes": self.volumes}


class Bench:
    """A full engine, and the means to run commands on it."""

    def __init__(self, engine: Engine, size: Size, dockersweep: Installed, before: Installed | None) -> None:
        """Fill when it is asked for; `before` is another dockersweep, for its memory."""
        self.counts, self.rounds, self.sweeps = size.counts, size.rounds, size.sweeps
        self.dockersweep = dockersweep
        self.before = before
        self._heap = HEAPS[size.heap]
        self._engine = engine
        self._full = False
        self._runner = Runner(engine.environment(), engine.run_directory)

    def fill(self) -> None:
        """See to it that the engine is full."""
        if not self._full:
            made = heap(Litter(self._engine), **self.counts, **self._heap)
            self._full = True
            self.check(
                {name: len(getattr(made, name)) for name in self.counts} == self.counts, "the engine was not filled"
            )

    def start_over(self, fill: Callable[[Litter], None]) -> Path:
        """Fill an engine that is empty in another way; return the folder of dockersweep's memory."""
        self._engine.wipe()
        fill(Litter(self._engine))
        self._full = False
        return self.dockersweep.state

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

    def docker(self, *words: str) -> Sample:
        """Run docker."""
        return self._runner.run(self._engine.run_directory / "bin" / "docker", *words)

    def python(self, *words: str | Path, interpreter: str | Path) -> Sample:
        """Run an interpreter."""
        return self._runner.run(interpreter, *words)


def compare_scan(bench: Bench) -> list[Row]:
    """A scan beside `docker system df -v`, which tells the same sizes."""

    def told_all(output: str) -> None:
        told = json.loads(output)
        bench.check(all(len(told[name]) >= count for name, count in bench.counts.items()), "scan missed something")

    return _beside_usage(bench, "scan --format json", told_all, aim=1.6)


def compare_plan(bench: Bench) -> list[Row]:
    """A plan of everything beside the same."""

    def told_all(output: str) -> None:
        going = len(json.loads(output)["removals"])
        bench.check(going >= sum(bench.counts.values()), f"plan removes {going} only")

    return _beside_usage(bench, f"plan --format json {' '.join(_ALL)}", told_all, aim=1.8)


def compare_report(bench: Bench) -> list[Row]:
    """A report beside the same."""

    def told_all(output: str) -> None:
        for label, name in (("Images", "images"), ("Writable layers", "containers"), ("Volumes", "volumes")):
            told = re.search(rf"^{label} +(\d+) ", output, re.MULTILINE)
            bench.check(told is not None and int(told[1]) >= bench.counts[name], f"report missed {name}")

    return _beside_usage(bench, "report", told_all, aim=2.5)


def _beside_usage(bench: Bench, words: str, check: Callable[[str], None], aim: float) -> list[Row]:
    """Rows of a verb beside `docker system df -v`; what it writes is checked each time."""
    bench.fill()

    def run(dockersweep: Installed) -> Sample:
        done = dockersweep(*words.split())
        check(done.output)
        return done

    def usage() -> Sample:
        done = bench.docker("system", "df", "-v")
        bench.check(done.output.count("\n") > sum(bench.counts.values()), f"{_USAGE} missed something")
        return done

    before = [bench.before] if bench.before else []
    jobs = [partial(run, one) for one in (bench.dockersweep, *before)]
    usages, ours, *former = in_turn(bench.rounds, usage, *jobs)
    return [
        _wall(words, ours, _USAGE, usages, aim),
        Row("its processor time", median(ours, _processor), _USAGE, median(usages, _processor)),
        *_of_itself(ours, former),
    ]


def _of_itself(ours: list[Sample], former: list[list[Sample]]) -> list[Row]:
    """Its peak memory, beside another dockersweep where that ran too; then also its processor time."""
    peak = max(sample.peak for sample in ours)
    if not former:
        return [Row("its peak memory", peak, unit="MB")]
    return [
        Row("its processor time", median(ours, _processor), "before", median(former[0], _processor)),
        Row("its peak memory", peak, "before", max(sample.peak for sample in former[0]), aim=0.9, unit="MB"),
    ]


def compare_custodian(bench: Bench) -> list[Row]:
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

    def run(dockersweep: Installed) -> Sample:
        bench.fill()
        done = dockersweep("sweep", "--yes", "--yes-first-time", *_ALL)
        bench.check_empty("sweep")
        return done

    def theirs() -> Sample:
        bench.fill()
        done = together([bench.docker(*prune.split()) for prune in _PRUNES])
        bench.check_empty("the four prunes")
        return done

    before = [bench.before] if bench.before else []
    jobs = [partial(run, one) for one in (bench.dockersweep, *before)]
    # Without a warm-up: removing much takes long and varies little.
    prunes, sweeps, *former = in_turn(bench.sweeps, theirs, *jobs, warm=False)
    return [
        _wall("sweep --yes, everything unused", sweeps, "the four docker prunes", prunes, aim=0.7),
        *_of_itself(sweeps, former),
    ]


def compare_start(bench: Bench) -> list[Row]:
    """What tells about the program itself beside the bare interpreter."""
    helps, versions, bare = in_turn(
        _START_ROUNDS,
        lambda: bench.dockersweep("--help"),
        lambda: bench.dockersweep("--version"),
        lambda: bench.python("-c", "pass", interpreter=bench.dockersweep.python),
    )
    return [
        _wall(what, samples, "python3 -c pass", bare, aim=1.6)
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
    "report": compare_report,
    "custodian": compare_custodian,
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
