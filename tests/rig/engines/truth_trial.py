"""One trial of a prediction: plan as one who is near the engine and as one who is far, sweep, and see what it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import EngineKind
from tests.rig.engines.oracle import gone_bytes, pieces
from tests.rig.engines.scenarios import Step
from tests.rig.engines.truth import Used, settled
from tests.rig.engines.truth_remote import far_away

ROUNDING = 64 << 10
"""What a prediction may always be off by: the engine's own lists, and the last blocks of folders."""
_SMALL_TRUTH = 10_000_000
_STORED_KINDS = ("image", "volume", "build-cache")


class Tool(Protocol):
    """Runs the tool that is on trial, and returns the document that it wrote."""

    def __call__(self, *words: str, host: str) -> Any:
        """Run it with these words on that engine."""


@dataclass(frozen=True)
class Interval:
    """From how much to how much; `high` is None where nobody can tell."""

    low: int
    high: int | None

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Interval:
        """The interval as documents have it."""
        return cls(told["low_bytes"], told["high_bytes"])

    @property
    def width(self) -> int | None:
        """How much it leaves open."""
        return None if self.high is None else self.high - self.low

    def error(self, truth: int) -> int:
        """By how much it misses the truth: below 0 where it promises too little."""
        if self.high is not None and truth > self.high:
            return self.high - truth
        return max(0, self.low - truth)

    def __add__(self, other: Interval) -> Interval:
        high = None if self.high is None or other.high is None else self.high + other.high
        return Interval(self.low + other.low, high)

    def __str__(self) -> str:
        return f"{self.low:,} to {'?' if self.high is None else f'{self.high:,}'}"


@dataclass(frozen=True)
class Prediction:
    """What a plan says that comes back."""

    base: str
    """What it counts in: `disk` or `lengths`."""
    total: Interval
    rows: tuple[tuple[str, Interval], ...]
    """Each removal, with its kind and what it adds to those before it."""

    @classmethod
    def read(cls, plan: Mapping[str, Any]) -> Prediction:
        """What a plan document says."""
        rows = tuple((row["kind"], Interval.read(row["reclaim"])) for row in plan["removals"])
        return cls(plan.get("size_base", "lengths"), Interval.read(plan["reclaim"]), rows)

    def of(self, *kinds: str) -> Interval:
        """What the removals of these kinds give back, added up."""
        return sum((interval for kind, interval in self.rows if not kinds or kind in kinds), Interval(0, 0))


@dataclass(frozen=True)
class Trial:
    """What was predicted, and what came back."""

    kind: EngineKind
    step: Step
    near: Prediction
    """Of one who can read the engine's disk."""
    far: Prediction
    """Of one who only has the engine's word."""
    freed: Used
    counted: int
    """What came back as the engine counts, by the metadata in its data root."""
    stored: int
    """The same of images, volumes and build cache alone."""
    outcome: Mapping[str, Any]

    def truth(self, prediction: Prediction) -> int:
        """What came back, in the base of a prediction."""
        return self.freed.disk if prediction.base == "disk" else self.counted

    def tells(self) -> dict[str, object]:
        """The trial as a record."""
        predictions = {"near": self.near, "far": self.far}
        told: dict[str, object] = {"engine": self.kind.name, "step": self.step.what, "lengths": self.freed.lengths}
        for name, prediction in predictions.items():
            truth = self.truth(prediction)
            told[name] = {
                "base": prediction.base,
                "predicted": str(prediction.total),
                "freed": truth,
                "error": prediction.total.error(truth),
                "width": prediction.total.width,
            }
        return told


def put_on_trial(engine: Engine, step: Step, tool: Tool) -> Trial:
    """Plan the step from near and far, sweep it, and measure."""
    before, there = settled(engine), pieces(engine)
    plan = ("plan", "--format", "json", *step.flags)
    # Docker 20.10 refuses a second one who asks for its disk usage meanwhile; the rest is then unknown to that.
    at_once = 1 if engine.kind.api_version == "1.41" else 2
    with far_away(engine.recorder.path) as url, ThreadPoolExecutor(at_once) as pool:
        near, far = pool.map(lambda host: tool(*plan, host=host), (engine.url, url))
    outcome = tool("sweep", "--yes", "--format", "json", *step.flags, host=engine.url)
    after, left = settled(engine), pieces(engine)
    return Trial(
        engine.kind,
        step,
        Prediction.read(near),
        Prediction.read(far),
        before - after,
        gone_bytes(there, left),
        gone_bytes(there, left, "image", "layer", "blob", "snapshot", "volume"),
        outcome,
    )


def tolerance(truth: int) -> int:
    """By how much a prediction may miss that much."""
    return max(ROUNDING, truth // 100)


def allowed_width(trial: Trial, truth: int) -> int:
    """How wide the interval of one who is near may be."""
    share = max(truth, 0) if truth >= _SMALL_TRUTH else _SMALL_TRUTH
    if trial.kind.image_store == "containerd":
        return share * 35 // 100
    return share // 10 if trial.step.cache == "stays" else 0


def faults(trial: Trial) -> Iterator[str]:
    """What is wrong with the predictions of a trial, each in a sentence; nothing where all holds."""
    for whose, prediction in (("near", trial.near), ("far", trial.far)):
        truth = trial.truth(prediction)
        error = prediction.total.error(truth)
        if abs(error) > tolerance(truth):
            yield f"{whose}: {prediction.total} ({prediction.base}) is off by {error:,}: {truth:,} came back"
        if prediction.total.width == 0 and prediction.of() != prediction.total:
            yield f"{whose}: the rows add up to {prediction.of()}, and the total is {prediction.total}"
    if trial.kind.image_store == "btrfs":
        # Its layers are not known to us on the disk; and what snapshots share has no owner there.
        return
    if trial.near.base != "disk":
        yield f"near: the disk can be read, and sizes are {trial.near.base}"
    width, allowed = trial.near.total.width, allowed_width(trial, trial.truth(trial.near))
    if width is None or width > allowed:
        yield f"near: {trial.near.total} leaves {width} open, and {allowed} are allowed"
    yield from _wrong_to_the_byte(trial)
    yield from _wrong_afterwards(trial)


def _wrong_afterwards(trial: Trial) -> Iterator[str]:
    """What a sweep says of itself must be so, and it must not be surprised by what it did."""
    told = trial.outcome["reclaimed"]
    measured, freed = told["measured_bytes"], trial.freed.disk
    if told["measured_by"] != "disk" or measured is None or abs(measured - freed) > tolerance(freed):
        yield f"after: it measured {measured} by {told['measured_by']}: {freed:,} came back"
    yield from (f"after: {surprise}" for surprise in told["surprises"])
    proven = sum(one["freed_bytes"] or 0 for one in trial.outcome["outcomes"])
    if proven > freed + tolerance(freed):
        yield f"after: {proven:,} are proven by the engine's answers: {freed:,} came back"


def _wrong_to_the_byte(trial: Trial) -> Iterator[str]:
    """A formula that is wrong by less than a disk shows: the engine's own sizes of what is gone must be met exactly."""
    told = trial.far.of(*_STORED_KINDS)
    if trial.kind.image_store == "containerd" or told.width != 0:
        return
    if any(kind == "container" for kind, _ in trial.far.rows) and trial.far.total.width != 0:
        # A container may be the last to hold layers of an image, which are then in its row.
        return
    if told.low != trial.stored:
        yield f"far: {told.low:,} for images, volumes and cache, and the engine's metadata say {trial.stored:,}"
