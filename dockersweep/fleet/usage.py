"""What many hosts use, and how that grows: the figures of documents -> a fleet report."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from dockersweep.model.disk import Disk
from dockersweep.model.fleet_figures import Figures, HostFacts, LedgerFacts, UsagePoint
from dockersweep.model.fleet_report import FleetReport, HostUsage, SkippedFile
from dockersweep.model.plan import Interval
from dockersweep.model.quantities import LARGEST, known_sum
from dockersweep.model.report import GrownShare, GrowthOfShare, Severity, Trend, TrendPoint
from dockersweep.policy.disk_report.trend import trend_of
from dockersweep.words.lists import natural_key

_FLAVOURS = {"docker": "Docker", "podman": "Podman"}


def fleet_report(figures: Figures, source: str, skipped: Sequence[SkippedFile] = ()) -> FleetReport:
    """Return the report; `source` says for people what was read, `skipped` what could not be."""
    points = {engine: list(of) for engine, of in groupby(figures.points, lambda point: point.engine)}
    hosts = [_host(facts, points.get(facts.engine or "", []), figures) for facts in figures.hosts]
    engines = [facts for facts in figures.hosts if facts.engine is not None]
    return FleetReport(
        schema="dockersweep.fleet-report/1",
        source=source,
        documents=figures.documents,
        first_at=figures.first_at,
        last_at=figures.last_at,
        engines=len(engines),
        hosts=tuple(sorted(hosts, key=_worst_first)),
        shares=figures.shares,
        used=_sum(engines, lambda facts: (facts.used_low_bytes, facts.used_high_bytes)),
        reclaimable=_sum(engines, lambda facts: (facts.reclaimable_low_bytes, facts.reclaimable_high_bytes)),
        unused=_sum(engines, lambda facts: (facts.unused_low_bytes, facts.unused_high_bytes)),
        disk_total_bytes=_known(facts.disk_total_bytes for facts in engines),
        disk_used_bytes=_known(facts.disk_used_bytes for facts in engines),
        freed_bytes=_known(facts.freed_bytes for facts in engines),
        removed=figures.removed,
        repositories=figures.repositories,
        images=figures.images,
        volumes=figures.volumes,
        findings=figures.findings,
        skipped=tuple(sorted(skipped, key=lambda file: natural_key(file.file))),
    )


def _worst_first(host: HostUsage) -> tuple[bool, float, float, object]:
    """Return the key that puts hosts which were not reached first, then those whose disk is full first, then those that
    grow most."""
    days = host.full_in_days if host.full_in_days is not None else float("inf")
    grows = host.growth.bytes_per_day if host.growth else None
    return host.status in (None, "done"), days, -(grows if grows is not None else -LARGEST), natural_key(host.name)


def _host(facts: HostFacts, points: Sequence[UsagePoint], figures: Figures) -> HostUsage:
    trend = _trend(facts, points)
    ledger = None if facts.newest_run is None else figures.ledgers.get(facts.newest_run)
    growths = {growth.share: growth for growth in trend.growth} if trend else {}
    total, disk = growths.get("total"), growths.get("disk")
    is_from_documents = any(growth is not None and growth.bytes_per_day is not None for growth in (total, disk))
    if not is_from_documents:
        total, disk = _of_ledger("total", ledger), _of_ledger("disk", ledger)
    full = trend if is_from_documents else ledger
    is_known = any(growth is not None and growth.bytes_per_day is not None for growth in (total, disk))
    return HostUsage(
        name=facts.label,
        also=facts.also,
        engine_id=facts.engine_id,
        address=facts.endpoint,
        version=f"{_FLAVOURS.get(facts.flavour or '', facts.flavour)} {facts.version}" if facts.version else None,
        documents=facts.documents,
        taken_at=facts.taken_at,
        status=facts.status,
        message=facts.message,
        used=_interval(facts.used_low_bytes, facts.used_high_bytes),
        reclaimable=_interval(facts.reclaimable_low_bytes, facts.reclaimable_high_bytes),
        unused=_interval(facts.unused_low_bytes, facts.unused_high_bytes),
        disk_total_bytes=facts.disk_total_bytes,
        disk_used_bytes=facts.disk_used_bytes,
        growth=total if is_known else None,
        disk_growth=disk if is_known else None,
        growth_from=("documents" if is_from_documents else "ledger") if is_known else None,
        full_in_days=full.full_in_days if full else None,
        full_in_days_soonest=full.full_in_days_soonest if full else None,
        full_in_days_latest=full.full_in_days_latest if full else None,
        findings=_findings(facts, figures),
        freed_bytes=facts.freed_bytes,
        failed=facts.failed,
    )


def _findings(facts: HostFacts, figures: Figures) -> dict[Severity, int] | None:
    """Return the findings by severity; None where the newest document says nothing of them."""
    if facts.newest_run is None or not facts.has_findings:
        return None
    return figures.severities.get(facts.newest_run, {})


def _trend(facts: HostFacts, points: Sequence[UsagePoint]) -> Trend | None:
    """Return the trend over the documents of an engine; only those count whose sizes are of the same base as the
    newest's, so that nothing seems to grow because it is counted in another way."""
    if not points:
        return None
    base = next((point.size_base for point in reversed(points) if point.size_base is not None), None)
    sizes = [
        TrendPoint(
            at=point.made_at,
            sizes={
                "total": point.used_bytes if point.size_base == base else None,
                "disk": point.disk_used_bytes,
            },
        )
        for point in points
    ]
    return trend_of(sizes, _disk(facts))


def _disk(facts: HostFacts) -> Disk | None:
    if facts.disk_total_bytes is None or facts.disk_free_bytes is None:
        return None
    return Disk(
        total_bytes=facts.disk_total_bytes,
        free_bytes=facts.disk_free_bytes,
        used_bytes=facts.disk_used_bytes,
        total_inodes=None,
        free_inodes=None,
    )


def _of_ledger(share: GrownShare, ledger: LedgerFacts | None) -> GrowthOfShare | None:
    if ledger is None:
        return None
    return GrowthOfShare(
        share=share,
        points=ledger.trend_points or 0,
        span_seconds=ledger.trend_seconds or 0,
        bytes_per_day=ledger.bytes_per_day if share == "total" else ledger.disk_bytes_per_day,
        low_bytes_per_day=None,
        high_bytes_per_day=None,
        grown_bytes=None,
    )


def _interval(low: int | None, high: int | None) -> Interval | None:
    return None if low is None else Interval(low_bytes=low, high_bytes=high)


def _sum(engines: Iterable[HostFacts], bounds: Callable[[HostFacts], tuple[int | None, int | None]]) -> Interval:
    """Return the sum over engines; without an upper bound where one of them does not tell."""
    pairs = [bounds(facts) for facts in engines]
    high = known_sum(high for _, high in pairs)
    return Interval(
        low_bytes=min(LARGEST, sum(low or 0 for low, _ in pairs)),
        high_bytes=None if high is None else min(LARGEST, high),
    )


def _known(amounts: Iterable[int | None]) -> int:
    return min(LARGEST, sum(amount or 0 for amount in amounts))
