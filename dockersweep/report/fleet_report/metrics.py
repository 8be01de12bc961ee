"""The metrics of a fleet report: those of many hosts, for the file that one machine writes for all of them.

Each has the label `host`, but for the sums over all. Labels are bounded, and unknown values have no sample, as in the
metrics of one engine. Names differ from those, as one Prometheus may collect both.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from dockersweep.model.fleet_report import FleetReport, HostUsage
from dockersweep.model.plan import Interval
from dockersweep.model.report import SEVERITIES, GrowthOfShare
from dockersweep.report.exposition import exposition_of
from dockersweep.report.text import printable
from dockersweep.units import DAY

STATUSES = ("done", "refused", "failed", "not-reached", "not-begun")


def exposition(report: FleetReport) -> str:
    """Return the metrics in the text format; those without a sample are left out."""
    return exposition_of([*_of_hosts(report), *_of_all(report)])


def _of_hosts(report: FleetReport) -> Iterator[Metric]:
    values: dict[str, tuple[str, Callable[[HostUsage], float | None]]] = {
        "scan_timestamp_seconds": (
            "When the host was last scanned.", lambda host: host.taken_at.timestamp() if host.taken_at else None,
        ),
        "used_bytes": ("What all objects of a host use, at least.", lambda host: _low(host.used)),
        "reclaimable_bytes": (
            "What the policy in force on a host would free, at least.", lambda host: _low(host.reclaimable),
        ),
        "unused_bytes": ("What all unused objects of a host would free, at least.", lambda host: _low(host.unused)),
        "disk_size_bytes": ("The size of a host's main disk.", lambda host: host.disk_total_bytes),
        "disk_used_bytes": ("What is used of it, as df counts it.", lambda host: host.disk_used_bytes),
        "growth_bytes_per_day": ("By how much the objects of a host grow a day.", lambda host: _rate(host.growth)),
        "disk_growth_bytes_per_day": (
            "By how much the use of its main disk grows a day.", lambda host: _rate(host.disk_growth),
        ),
        "disk_full_in_seconds": (
            "When a host's main disk is full at that rate; left out where nothing tells.",
            lambda host: None if host.full_in_days is None else host.full_in_days * DAY,
        ),
        "freed_bytes": ("What the sweeps in the documents freed on a host.", lambda host: host.freed_bytes),
        "failed_removals": ("How many removals of these failed.", lambda host: host.failed),
    }  # fmt: skip
    for name, (meaning, value) in values.items():
        yield _gauge(f"host_{name}", meaning, (({"host": host.name}, value(host)) for host in report.hosts))
    yield _gauge(
        "host_findings",
        "Findings of a host's newest report, by severity.",
        (
            ({"host": host.name, "severity": severity}, host.findings.get(severity, 0))
            for host in report.hosts
            if host.findings is not None
            for severity in SEVERITIES
        ),
    )
    yield _gauge(
        "host_status",
        "How the last fleet run ended on a host: 1 for the status that it has, 0 for all others.",
        (
            ({"host": host.name, "status": status}, float(host.status == status))
            for host in report.hosts
            if host.status is not None
            for status in STATUSES
        ),
    )


def _of_all(report: FleetReport) -> Iterator[Metric]:
    yield _gauge("fleet_engines", "How many different engines the documents tell of.", [({}, report.engines)])
    yield _gauge("fleet_documents", "How many documents were read.", [({}, report.documents)])
    yield _gauge("fleet_skipped_files", "How many files could not be read.", [({}, len(report.skipped))])
    for name, meaning, interval in (
        ("used", "What all objects of all engines use, at least.", report.used),
        ("reclaimable", "What the policies in force would free on all engines, at least.", report.reclaimable),
        ("unused", "What all unused objects of all engines would free, at least.", report.unused),
    ):
        yield _gauge(f"fleet_{name}_bytes", meaning, [({}, _low(interval))])
    yield _gauge(
        "fleet_kind_bytes",
        "What all of a kind use on all engines, at least.",
        (({"kind": row.share}, row.size.low_bytes) for row in report.shares if row.is_known),
    )


def _rate(growth: GrowthOfShare | None) -> int | None:
    return None if growth is None else growth.bytes_per_day


def _low(interval: Interval | None) -> int | None:
    """Return the certain part; None where it is 0 of an unknown size: "at least 0" is not a size."""
    if interval is None or (interval.high_bytes is None and interval.low_bytes == 0):
        return None
    return interval.low_bytes


def _gauge(name: str, meaning: str, samples: Iterable[tuple[Mapping[str, str], float | None]]) -> Metric:
    known = [(labels, value) for labels, value in samples if value is not None]
    metric = GaugeMetricFamily(f"dockersweep_{name}", meaning, labels=tuple(known[0][0]) if known else ())
    for labels, value in known:
        metric.add_metric([printable(label) for label in labels.values()], value)
    return metric
