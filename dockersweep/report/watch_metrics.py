"""The metrics of a watcher about itself, beside those of a report; all begin with "dockersweep_watch".

Labels are bounded: the engine, a disk of the target, a cause, a status. Unknown values have no sample.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import get_args

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from dockersweep.model.watching import LastSweep, SweepCause, WatchedDisk, WatchState
from dockersweep.report.run_status import ENDED_STATUSES, ended_status
from dockersweep.report.text import printable

PREFIX = "dockersweep_watch_"
CAUSES: tuple[SweepCause, ...] = get_args(SweepCause)

Samples = Iterable[tuple[Mapping[str, str], float | None]]
"""Labels besides the engine's, and a value; None leaves the sample out."""


def watch_metrics(state: WatchState, now: datetime, *, is_healthy: bool, is_reported: bool | None) -> list[Metric]:
    """Return the metrics of a watcher, those without a sample too.

    `is_healthy` is what /healthz says. `is_reported` is whether the metrics of a report beside them could be made when
    that was tried last; None before that.
    """
    engine = printable(state.endpoint)
    return [metric for part in _PARTS for metric in part(state, now, engine)] + [
        _flag("healthy", "Whether the watcher is healthy, as /healthz says.", engine, is_healthy),
        _flag("reported", "Whether the metrics of the last report could be made.", engine, is_reported),
    ]


def _of_itself(state: WatchState, now: datetime, engine: str) -> Iterator[Metric]:
    yield _single("timestamp_seconds", "When the metrics of the watcher were made.", engine, now.timestamp())
    yield _single("started_timestamp_seconds", "When the watcher started.", engine, state.started_at.timestamp())
    yield _flag(
        "policy_refused",
        "Whether the policy file as it is now is refused, and an earlier one is in force.",
        engine,
        state.policy_problem is not None,
    )


def _of_events(state: WatchState, now: datetime, engine: str) -> Iterator[Metric]:
    events = state.events
    until = events.complete_until
    yield _flag("connected", "Whether the watcher receives the events of the engine.", engine, events.is_connected)
    yield _counter("events", "Events that the watcher received.", engine, [({}, events.received)])
    yield _counter(
        "recorded_events", "Events received that are in the ledger, or are no uses.", engine, [({}, events.recorded)]
    )
    yield _counter("gaps", "How often events were missed, or may have been.", engine, [({}, events.gaps)])
    # No counter: a gap that lasts is none if the engine still has its events when it is back.
    yield _single(
        "gap_seconds",
        "How much time is covered by gaps in the events, the current one included.",
        engine,
        events.gap_seconds,
    )
    yield _single(
        "complete_until_timestamp_seconds",
        "Up to when every event of the engine is known, by the engine's clock.",
        engine,
        None if until is None else until.timestamp(),
    )
    yield _single(
        "since_complete_seconds",
        "How long ago every event of the engine was known.",
        engine,
        None if until is None else max(0.0, (now - until).total_seconds()),
    )
    yield _flag(
        "ledger_failed", "Whether events cannot be recorded in the ledger.", engine, events.ledger_problem is not None
    )


def _of_target(state: WatchState, _: datetime, engine: str) -> Iterator[Metric]:
    def samples(value: str) -> Samples:
        return [({"disk": printable(disk.name)}, _value(disk, value)) for disk in state.disks]

    yield _gauge("disk_size_bytes", "The size of a disk of the target.", engine, samples("total_bytes"))
    yield _gauge(
        "disk_free_bytes", "What others than root can still write to a disk of the target.", engine,
        samples("free_bytes"),
    )  # fmt: skip
    yield _gauge(
        "target_begins", "Whether the target asks for space on a disk; left out where that is not known.", engine,
        samples("begins"),
    )  # fmt: skip


def _value(disk: WatchedDisk, name: str) -> float | None:
    value: float | bool | None = getattr(disk, name)
    return None if value is None else float(value)


def _of_sweeps(state: WatchState, _: datetime, engine: str) -> Iterator[Metric]:
    # Combinations without a sweep too: a counter that begins at 1 has no increase for Prometheus.
    counts = Counter({(cause, status): 0 for cause in CAUSES for status in ENDED_STATUSES})
    for (cause, exit_status), number in state.sweeps.items():
        counts[cause, ended_status(exit_status)] += number
    yield _counter(
        "sweeps",
        "Sweeps by why they were made and how they ended.",
        engine,
        [({"cause": cause, "status": status}, number) for (cause, status), number in counts.items()],
    )
    yield _gauge(
        "sweeping",
        "Whether a sweep is under way for this cause: 1 or 0.",
        engine,
        [({"cause": cause}, float(cause == state.sweeping)) for cause in CAUSES],
    )
    yield _flag("waiting", "Whether a sweep that is due waits.", engine, state.waits is not None)
    due = state.next_sweep_at
    yield _single(
        "next_sweep_timestamp_seconds",
        "When the rules are carried out next; left out for never.",
        engine,
        None if due is None else due.timestamp(),
    )
    if state.last_sweep is not None:
        yield from _of_last_sweep(state.last_sweep, engine)


def _of_last_sweep(last: LastSweep, engine: str) -> Iterator[Metric]:
    ended = ended_status(last.exit_status)
    took = (last.finished_at - last.started_at).total_seconds()
    yield _gauge(
        "last_sweep_status",
        "How the last sweep of the watcher ended: 1 for the status that it has, 0 for all others.",
        engine,
        [({"status": status}, float(status == ended)) for status in ENDED_STATUSES],
    )
    values: dict[str, tuple[str, float | None]] = {
        "timestamp_seconds": ("When the last sweep of the watcher ended.", last.finished_at.timestamp()),
        "duration_seconds": ("How long the last sweep of the watcher took.", max(0.0, took)),
        "removed": ("How many objects the last sweep of the watcher removed.", last.removed),
        "freed_bytes": ("How many bytes the last sweep of the watcher freed, as measured.", last.freed_bytes),
    }
    for name, (meaning, value) in values.items():
        yield _single(f"last_sweep_{name}", meaning, engine, value)
    yield _flag(
        "last_sweep_target_reached",
        "Whether the last sweep of the watcher reached the target; left out without one, and where that is not known.",
        engine,
        last.target_reached,
    )


_PARTS = (_of_itself, _of_events, _of_target, _of_sweeps)


def _single(name: str, meaning: str, engine: str, value: float | None) -> Metric:
    return _gauge(name, meaning, engine, [({}, value)])


def _flag(name: str, meaning: str, engine: str, value: bool | None) -> Metric:
    return _single(name, f"{meaning.removesuffix('.')}: 1 or 0.", engine, None if value is None else float(value))


def _gauge(name: str, meaning: str, engine: str, samples: Samples) -> Metric:
    known = _known(samples)
    metric = GaugeMetricFamily(PREFIX + name, meaning, labels=("engine", *_label_names(known)))
    for labels, value in known:
        metric.add_metric((engine, *labels.values()), value)
    return metric


def _counter(name: str, meaning: str, engine: str, samples: Samples) -> Metric:
    known = _known(samples)
    metric = CounterMetricFamily(PREFIX + name, meaning, labels=("engine", *_label_names(known)))
    for labels, value in known:
        metric.add_metric((engine, *labels.values()), value)
    return metric


def _known(samples: Samples) -> list[tuple[Mapping[str, str], float]]:
    return [(labels, value) for labels, value in samples if value is not None]


def _label_names(samples: list[tuple[Mapping[str, str], float]]) -> tuple[str, ...]:
    return tuple(samples[0][0]) if samples else ()
