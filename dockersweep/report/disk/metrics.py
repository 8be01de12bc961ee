"""The metrics of the disk report, named by Prometheus' rules.

Labels are bounded: an engine, a disk, a kind, a state, a severity, never an object. Unknown values have no sample. A
size that is only known as a range has two metrics; the one without "high" is the certain part, so that sums and alerts
do not promise too much.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from dockersweep.model.history import PastRun
from dockersweep.model.inventory import KINDS, Kind
from dockersweep.model.plan import Interval
from dockersweep.model.report import SEVERITIES, ArchiveState, Report, ReportedDisk, ReportedObject, Share
from dockersweep.report.exposition import exposition_of
from dockersweep.report.run_status import ended_status
from dockersweep.report.text import printable
from dockersweep.units import DAY

STATES = ("in-use", "unused", "removable")
"""Each object is in exactly one: "unused" is kept by the policy, "removable" would be removed by it."""
STATUSES = (
    "done",
    "incomplete",
    "declined",
    "refused",
    "engine-failed",
    "failed",
    "interrupted",
    "did-not-end",
    "running",
)
_SHARE_OF: dict[Kind, Share] = {
    "container": "writable-layer", "image": "image", "volume": "volume", "network": "network",
    "build-cache": "build-cache",
}  # fmt: skip

Samples = Iterable[tuple[Mapping[str, str], float | None]]
"""Labels besides the engine's, and a value; None leaves the sample out."""


def exposition(report: Report, last_run: PastRun | None, reclaimed_total_bytes: int | None) -> str:
    """Return the metrics of a scan and of past runs in the text format; those without a sample are left out."""
    return exposition_of([*_of_scan(report), *_of_runs(report, last_run, reclaimed_total_bytes)])


def _of_scan(report: Report) -> Iterator[Metric]:
    engine = _engine(report)
    scanned = report.engine
    about = {
        "name": printable(scanned.name or ""), "flavour": scanned.flavour, "version": printable(scanned.version),
        "image_store": printable(scanned.image_store),
    }  # fmt: skip
    yield _gauge("engine_info", "The engine that was scanned; always 1.", engine, [(about, 1)])
    yield _gauge("scan_timestamp_seconds", "When the engine was scanned.", engine, [({}, report.taken_at.timestamp())])
    yield _gauge(
        "objects",
        "Objects by kind and state: in-use, unused (and kept by the policy) or removable (by the policy).",
        engine,
        _objects(report),
    )
    yield _gauge(
        "oldest_unused_seconds",
        "The age of the oldest object of a kind that is not in use; left out where none has a known age.",
        engine,
        [({"kind": kind}, _oldest(report.objects, kind)) for kind in KINDS],
    )
    yield from _sizes(report, engine)
    severities = Counter(finding.severity for finding in report.findings)
    yield _gauge(
        "findings", "Findings of the disk report that the policy does not silence.", engine,
        [({"severity": severity}, severities[severity]) for severity in SEVERITIES],
    )  # fmt: skip
    yield from _disk(report, engine)
    yield from _disks(report, engine)
    if report.archive is not None:
        yield from _archive(report.archive, report.taken_at, engine)


def _sizes(report: Report, engine: str) -> Iterator[Metric]:
    what = {
        "size": ("What all of a kind take", [(row.share, row.size) for row in report.shares if row.is_known]),
        "reclaimable": (
            "What the policy in force would free",
            [(row.share, row.reclaimable) for row in report.shares if row.is_known],
        ),
        "unused": (
            "What all unused objects would free",
            [(row.share, row.unused) for row in report.shares if row.is_known],
        ),
    }
    for name, (meaning, intervals) in what.items():
        low = [({"kind": share}, _low(interval)) for share, interval in intervals]
        high = [({"kind": share}, interval.high_bytes) for share, interval in intervals]
        yield _gauge(
            f"{name}_bytes", f"{meaning}, at least; of a container its writable layer and its log.", engine, low
        )
        yield _gauge(f"{name}_high_bytes", f"{meaning}, at most; left out where that is not known.", engine, high)


def _low(interval: Interval) -> int | None:
    """Return the certain part; None where it is 0 of an unknown size: "at least 0" is not a size."""
    return None if interval.high_bytes is None and interval.low_bytes == 0 else interval.low_bytes


def _objects(report: Report) -> Iterator[tuple[Mapping[str, str], int]]:
    counts = Counter((item.kind, _state(item)) for item in report.objects)
    unread = {row.share for row in report.shares if not row.is_known}
    for kind in KINDS:
        # Objects may be listed even if their sizes could not be read.
        if _SHARE_OF[kind] in unread and not any(counts[kind, state] for state in STATES):
            continue
        for state in STATES:
            yield {"kind": kind, "state": state}, counts[kind, state]


def _state(item: ReportedObject) -> str:
    if item.goes:
        return "removable"
    return "in-use" if item.in_use else "unused"


def _oldest(objects: Iterable[ReportedObject], kind: Kind) -> int | None:
    ages = [
        item.age_seconds for item in objects if item.kind == kind and not item.in_use and item.age_seconds is not None
    ]
    return max(0, *ages) if ages else None


def _disk(report: Report, engine: str) -> Iterator[Metric]:
    yield _gauge("folder_bytes", "What the engine's folders take.", engine, [({}, report.folder_bytes)])
    if report.disk is not None:
        disk = report.disk
        yield _gauge("disk_size_bytes", "The size of the engine's main disk.", engine, [({}, disk.total_bytes)])
        yield _gauge("disk_free_bytes", "What others than root can still write.", engine, [({}, disk.free_bytes)])
        yield _gauge("disk_inodes", "The inodes of the engine's main disk.", engine, [({}, disk.total_inodes)])
        yield _gauge("disk_free_inodes", "The inodes that are free.", engine, [({}, disk.free_inodes)])
    yield _gauge(
        "disk_full_in_seconds",
        "When the main disk is full at the rate of the last scans; left out where nothing tells.",
        engine,
        [({}, _seconds(report.trend.full_in_days if report.trend else None))],
    )


def _seconds(days: float | None) -> float | None:
    return None if days is None else days * DAY


def _disks(report: Report, engine: str) -> Iterator[Metric]:
    """Yield the metrics of each disk; those in `_disk` are of the main disk only, and have no disk label."""
    values: dict[str, tuple[str, Callable[[ReportedDisk], float | None]]] = {
        "size_bytes": ("The size of a disk that something of the engine lies on.", lambda row: row.disk.total_bytes),
        "used_bytes": ("What is used of a disk, as df counts it.", lambda row: row.disk.used),
        "free_bytes": ("What others than root can still write to a disk.", lambda row: row.disk.free_bytes),
        "inodes": ("The inodes of a disk.", lambda row: row.disk.total_inodes),
        "free_inodes": ("The inodes of a disk that are free.", lambda row: row.disk.free_inodes),
        "folder_bytes": ("What the engine's folders take on a disk, at least.", lambda row: row.folder_bytes),
        "remainder_bytes": ("What of that is no object's.", lambda row: row.remainder_bytes),
        "reclaimable_bytes": (
            "What the policy in force would free on a disk, at least.",
            lambda row: None if row.reclaimable is None else _low(row.reclaimable),
        ),
        "full_in_seconds": (
            "When a disk is full at the rate of the last scans; left out where nothing tells.",
            lambda row: _seconds(row.filling.full_in_days if row.filling else None),
        ),
    }
    for name, (meaning, value) in values.items():
        samples = [({"disk": printable(row.disk.name)}, value(row)) for row in report.disks]
        yield _gauge(f"filesystem_{name}", meaning, engine, samples)
    kinds = [
        ({"disk": printable(row.disk.name), "kind": part.kind}, _low(part.size))
        for row in report.disks
        for part in row.kinds or ()
    ]
    yield _gauge("filesystem_kind_bytes", "What all of a kind take on a disk, at least.", engine, kinds)


def _archive(archive: ArchiveState, now: datetime, engine: str) -> Iterator[Metric]:
    """Yield the metrics of the archive. It may hold what other engines had: it is one, whichever engine is scanned."""
    is_known = archive.size_bytes is not None
    oldest = archive.oldest_at
    values: dict[str, tuple[str, float | None]] = {
        "usable": ("Whether what a sweep removes can go into the archive: 1 or 0.", float(archive.problem is None)),
        "bytes": ("What the archive takes.", archive.size_bytes),
        "objects": ("The objects in the archive.", archive.objects if is_known else None),
        "oldest_seconds": (
            "The age of the oldest run in the archive; left out where it is empty.",
            None if oldest is None else max(0.0, (now - oldest).total_seconds()),
        ),
        "max_bytes": ("What the archive may take; left out where it has no limit.", archive.max_bytes),
        "damaged_files": ("What the last `archive verify` found damaged.", len(archive.damaged)),
    }
    for name, (meaning, value) in values.items():
        yield _gauge(f"archive_{name}", meaning, engine, [({}, value)])


def _of_runs(report: Report, last_run: PastRun | None, reclaimed_total_bytes: int | None) -> Iterator[Metric]:
    engine = _engine(report)
    if last_run is not None:
        at = (last_run.finished_at or last_run.started_at).timestamp()
        status = _status(last_run)
        yield _gauge(
            "last_run_timestamp_seconds", "When the last run ended, or began where it has not ended.", engine,
            [({}, at)],
        )  # fmt: skip
        yield _gauge(
            "last_run_status", "How the last run ended: 1 for the status that it has, 0 for all others.", engine,
            [({"status": name}, float(name == status)) for name in STATUSES],
        )  # fmt: skip
    if reclaimed_total_bytes is not None:
        counter = CounterMetricFamily(
            "dockersweep_reclaimed_bytes", "What all runs ever freed, as far as it was measured.",
            labels=("engine",),
        )  # fmt: skip
        counter.add_metric((engine,), reclaimed_total_bytes)
        yield counter


def _status(run: PastRun) -> str:
    if run.state != "ended" or run.exit_status is None:
        return "running" if run.state == "running" else "did-not-end"
    return "declined" if run.was_declined else ended_status(run.exit_status)


def _engine(report: Report) -> str:
    # The endpoint, because two engines of one machine have the same name.
    return printable(report.engine.endpoint)


def _gauge(name: str, meaning: str, engine: str, samples: Samples) -> Metric:
    known = [(labels, value) for labels, value in samples if value is not None]
    names = tuple(known[0][0]) if known else ()
    metric = GaugeMetricFamily(f"dockersweep_{name}", meaning, labels=("engine", *names))
    for labels, value in known:
        metric.add_metric((engine, *labels.values()), value)
    return metric
