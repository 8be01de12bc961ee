"""The rows of a document."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from msgspec.structs import replace

from dockersweep.model.disk import Disk
from dockersweep.model.fleet import FleetHost
from dockersweep.model.image_references import repository_of
from dockersweep.model.inventory import Engine, Inventory
from dockersweep.model.naming import engine_identity
from dockersweep.model.outcome import OutcomeDocument
from dockersweep.model.plan import Decision, Interval, Plan
from dockersweep.model.quantities import LARGEST, known_sum
from dockersweep.model.report import GrowthOfShare, Report, ReportedObject, Trend
from dockersweep.warehouse.documents import (
    NAME_OF,
    Decided,
    Head,
    InventoryHead,
    OutcomeHead,
    PlanHead,
    ReportHead,
    WholePlan,
    WholeReport,
)
from dockersweep.warehouse.rows import (
    FindingRow,
    ObjectRow,
    RemovalRow,
    RepositoryRow,
    Rows,
    RunRow,
    ShareRow,
)


def rows_of_head(head: Head, run: RunRow) -> Rows:
    """Return the rows of a document but those of its objects; `run` has what is known from elsewhere."""
    _set_engine(run, head.engine, len(head.warnings))
    run.document = NAME_OF[type(head)]
    if isinstance(head, ReportHead):
        return _of_report(head, run)
    if isinstance(head, PlanHead):
        return _of_plan(head, run)
    if isinstance(head, OutcomeHead):
        return _of_outcome(head, run)
    run.made_at = stored_instant(head.taken_at)
    _set_disk(run, head.disk)
    return Rows(runs=[run])


def rows_of(document: Plan | Report | OutcomeDocument) -> Rows:
    """Return all rows of a document that was just made."""
    run = RunRow(run=0, file="")
    _set_engine(run, document.engine, len(document.warnings))
    if isinstance(document, OutcomeDocument):
        run.document = NAME_OF[OutcomeHead]
        return _of_outcome(document, run)
    if isinstance(document, Plan):
        run.document = NAME_OF[PlanHead]
        rows = _of_plan(document, run)
        rows.objects = [_decided_row(decision, run.run) for decision in document.decisions]
        return rows
    run.document = NAME_OF[ReportHead]
    rows = _of_report(document, run)
    rows.objects = list(object_rows_of_report(document.objects, run.run))
    return rows


def rows_of_scan(inventory: Inventory, report: Report) -> Rows:
    """Return all rows of an inventory that was just made, by a report without a policy, of which they say nothing."""
    rows = rows_of_inventory(inventory, report, RunRow(run=0, file=""))
    [run] = rows.runs
    run.policy_source = run.reclaimable_low_bytes = run.reclaimable_high_bytes = None
    rows.findings.clear()
    for share in rows.shares:
        share.reclaimable_low_bytes = share.reclaimable_high_bytes = None
    for item in rows.objects:
        item.goes = None
    return rows


def rows_of_inventory(inventory: Inventory, report: Report, run: RunRow) -> Rows:
    """Return the rows of an inventory, by the report that was made of it; its objects have their tags and drivers."""
    _set_engine(run, inventory.engine, len(report.warnings))
    run.document = NAME_OF[InventoryHead]
    rows = _of_report(report, run)
    rows.objects = list(_with_details(inventory, object_rows_of_report(report.objects, run.run)))
    return rows


def object_rows(whole: WholeReport | WholePlan, run: int) -> Iterator[ObjectRow]:
    """Yield a row for each object of a report or a plan."""
    if isinstance(whole, WholeReport):
        return object_rows_of_report(whole.objects, run)
    return (_decided_row(decided, run) for decided in whole.decisions)


def unreached_run(host: FleetHost, run: RunRow, at: datetime) -> Rows:
    """Return the row of a host of a fleet that has no document of its own."""
    run.engine_id, run.made_at = host.engine_id, stored_instant(at)
    return Rows(runs=[run])


def run_of_host(host: FleetHost, run: RunRow, place: int) -> RunRow:
    """Return the row of a document with what its fleet document says about the host at this place."""
    return replace(
        run, run=run.run + place, host=host.name, groups=host.groups, address=host.address, status=host.status,
        message=host.message, exit_status=host.exit_status, seconds=host.seconds,
        # Podman has no id of its own: who reached the host may know better which engine that is.
        engine=host.engine_identity if host.engine_id is None else None,
    )  # fmt: skip


def stored_instant(instant: datetime) -> datetime | None:
    """Return an instant in UTC; None for one that no calendar has there."""
    try:
        return instant.astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def _set_engine(run: RunRow, engine: Engine, warnings: int) -> None:
    run.host = run.host or engine.name or engine.endpoint
    run.engine = run.engine or engine_identity(engine)
    run.engine_id, run.endpoint, run.flavour = engine.id, engine.endpoint, engine.flavour
    run.version, run.image_store, run.warnings = engine.version, engine.image_store, warnings


def _set_disk(run: RunRow, disk: Disk | None) -> None:
    if disk is not None:
        run.disk_total_bytes, run.disk_used_bytes, run.disk_free_bytes = disk.total_bytes, disk.used, disk.free_bytes


def _of_report(report: Report | ReportHead, run: RunRow) -> Rows:
    run.made_at = stored_instant(report.taken_at)
    run.policy_source, run.size_base = report.policy_source, report.size_base
    known = [row for row in report.shares if row.is_known]
    run.used_low_bytes = _stored(sum(row.size.low_bytes for row in known))
    all_known = len(known) == len(report.shares)
    run.used_high_bytes = _stored(known_sum(row.size.high_bytes for row in known)) if all_known else None
    run.reclaimable_low_bytes, run.reclaimable_high_bytes = _bounds(report.reclaimable)
    run.unused_low_bytes, run.unused_high_bytes = _bounds(report.unused)
    _set_disk(run, report.disk)
    if report.trend is not None:
        _set_trend(run, report.trend)
    number = run.run
    return Rows(
        runs=[run],
        shares=[
            ShareRow(
                run=number, share=row.share, objects=row.count, in_use=row.in_use,
                low_bytes=row.size.low_bytes, high_bytes=row.size.high_bytes,
                reclaimable_low_bytes=row.reclaimable.low_bytes, reclaimable_high_bytes=row.reclaimable.high_bytes,
                unused_low_bytes=row.unused.low_bytes, unused_high_bytes=row.unused.high_bytes,
            )
            for row in known
        ],
        repositories=[
            RepositoryRow(
                run=number, repository=group.name, images=group.objects, size_bytes=group.size_bytes,
                unused_bytes=group.unused_bytes,
            )
            for group in report.repositories
        ],
        findings=[
            FindingRow(
                run=number, finding=finding.id, severity=finding.severity, title=finding.title,
                objects=finding.objects, size_bytes=finding.size_bytes, fix=finding.fix.text,
            )
            for finding in report.findings
        ],
    )  # fmt: skip


def _set_trend(run: RunRow, trend: Trend) -> None:
    of_share = {growth.share: growth for growth in trend.growth}
    total, disk = of_share.get("total"), of_share.get("disk")
    run.bytes_per_day, run.disk_bytes_per_day = _rate(total), _rate(disk)
    basis = disk if _rate(disk) is not None else total
    if basis is not None:
        run.trend_points, run.trend_seconds = basis.points, _stored(basis.span_seconds)
    run.full_in_days = trend.full_in_days
    run.full_in_days_soonest, run.full_in_days_latest = trend.full_in_days_soonest, trend.full_in_days_latest


def _rate(growth: GrowthOfShare | None) -> int | None:
    return None if growth is None else _stored(growth.bytes_per_day)


def _of_plan(plan: PlanHead | Plan, run: RunRow) -> Rows:
    run.made_at = stored_instant(plan.taken_at)
    run.policy_source, run.size_base = plan.policy.source, plan.size_base
    run.reclaimable_low_bytes, run.reclaimable_high_bytes = _bounds(plan.reclaim)
    removals = [
        RemovalRow(
            run=run.run, kind=step.kind, id=step.id, name=step.name, action=step.action,
            low_bytes=step.reclaim.low_bytes, high_bytes=step.reclaim.high_bytes,
        )
        for step in plan.removals
    ]  # fmt: skip
    return Rows(runs=[run], removals=removals)


def _of_outcome(outcome: OutcomeHead | OutcomeDocument, run: RunRow) -> Rows:
    run.made_at = stored_instant(outcome.started_at)
    run.policy_source, run.size_base = outcome.policy_source, outcome.size_base
    run.freed_bytes = outcome.reclaimed.measured_bytes
    run.failed = sum(step.status in ("failed", "not-attempted") for step in outcome.outcomes)
    removals = [
        RemovalRow(
            run=run.run, kind=step.kind, id=step.id, name=step.name, action=step.action, status=step.status,
            detail=step.detail, freed_bytes=step.freed_bytes,
        )
        for step in outcome.outcomes
    ]  # fmt: skip
    return Rows(runs=[run], removals=removals)


def object_rows_of_report(objects: Iterable[ReportedObject], run: int) -> Iterator[ObjectRow]:
    """Yield a row for each object of a report."""
    return (
        ObjectRow(
            run=run, kind=item.kind, id=item.id, name=item.name, driver=item.driver, project=item.project,
            repository=item.repository, size_bytes=item.size_bytes, own_bytes=item.own_bytes, in_use=item.in_use,
            goes=item.goes, age_seconds=_stored(item.age_seconds), age_source=item.age_source, why=item.why,
        )
        for item in objects
    )  # fmt: skip


def _with_details(inventory: Inventory, rows: Iterable[ObjectRow]) -> Iterator[ObjectRow]:
    """Yield rows with what only an inventory has."""
    images = {image.id: image for image in inventory.images}
    for row in rows:
        if row.kind == "image" and row.id in images:
            row.tags = images[row.id].tags
        yield row


def _decided_row(decided: Decided | Decision, run: int) -> ObjectRow:
    has_name = decided.kind == "image" and not decided.id.removeprefix("sha256:").startswith(decided.name)
    return ObjectRow(
        run=run, kind=decided.kind, id=decided.id, name=decided.name,
        repository=repository_of(decided.name) if has_name else None,
        size_bytes=decided.size_bytes, goes=decided.verdict == "remove", age_seconds=_stored(decided.age_seconds),
        age_source=decided.age_source,
    )  # fmt: skip


def _bounds(interval: Interval) -> tuple[int, int | None]:
    return interval.low_bytes, interval.high_bytes


def _stored(number: int | None) -> int | None:
    """Return a number that a column holds; None for a larger one, which is no measurement."""
    return None if number is None or not -LARGEST <= number <= LARGEST else number
