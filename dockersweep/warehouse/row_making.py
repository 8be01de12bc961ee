"""The rows of a document."""

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
from dockersweep.model.report import GrowthOfShare, Report, ReportedObject, ShareOfDisk, Trend
from dockersweep.warehouse.documents import (
    NAME_OF,
    Decided,
    Head,
    InventoryHead,
    OutcomeHead,
    PlanHead,
    ReportHead,
    TrendHead,
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
    """Return the row of a document, and those of removals; `run` has what is known from elsewhere."""
    _set_engine(run, head.engine, len(head.warnings))
    run.document = NAME_OF[type(head)]
    if isinstance(head, ReportHead):
        _set_sums(run, head)
    elif isinstance(head, PlanHead):
        return _of_plan(head, run)
    elif isinstance(head, OutcomeHead):
        return _of_outcome(head, run)
    else:
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
    rows = listed_rows(document, run.run)
    if isinstance(document, Plan):
        run.document = NAME_OF[PlanHead]
        rows.removals = _of_plan(document, run).removals
    else:
        run.document = NAME_OF[ReportHead]
        _set_sums(run, document)
    rows.runs.append(run)
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
    """Return the rows of an inventory, by the report that was made of it; its images have their tags."""
    _set_engine(run, inventory.engine, len(report.warnings))
    run.document = NAME_OF[InventoryHead]
    _set_sums(run, report)
    rows = listed_rows(report, run.run)
    rows.runs.append(run)
    images = {image.id: image for image in inventory.images}
    for row in rows.objects:
        if row.kind == "image" and row.id in images:
            row.tags = images[row.id].tags
    return rows


def listed_rows(whole: WholeReport | WholePlan | Report | Plan, run: int) -> Rows:
    """Return the rows of what a report or a plan lists."""
    if isinstance(whole, WholePlan | Plan):
        return Rows(runs=[], objects=[_decided_row(decided, run) for decided in whole.decisions])
    return Rows(
        runs=[],
        objects=[_object_row(item, run) for item in whole.objects],
        shares=[_share_row(row, run) for row in whole.shares if row.is_known],
        repositories=[
            RepositoryRow(
                run=run, repository=group.name, images=_count(group.objects), size_bytes=group.size_bytes,
                unused_bytes=group.unused_bytes,
            )
            for group in whole.repositories
        ],
        findings=[
            FindingRow(
                run=run, finding=finding.id, severity=finding.severity, title=finding.title,
                objects=_count(finding.objects), size_bytes=finding.size_bytes, fix=finding.fix.text,
            )
            for finding in whole.findings
        ],
    )  # fmt: skip


def unreached_run(host: FleetHost, run: RunRow, at: datetime) -> Rows:
    """Return the row of a host of a fleet that has no document of its own."""
    run.engine_id, run.made_at = host.engine_id, stored_instant(at)
    return Rows(runs=[run])


def run_of_host(host: FleetHost, run: RunRow, place: int) -> RunRow:
    """Return the row of a document with what its fleet document says about the host at this place."""
    return replace(
        run, run=run.run + place, host=host.name, groups=host.groups, address=host.address, status=host.status,
        message=host.message, exit_status=_stored(host.exit_status), seconds=host.seconds,
        swarm_node_id=host.swarm_node_id,
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
        run.disk_total_bytes, run.disk_free_bytes = disk.total_bytes, disk.free_bytes
        # Some FUSE file systems report more free space than their size.
        run.disk_used_bytes = max(0, disk.used)


def _set_sums(run: RunRow, report: Report | ReportHead) -> None:
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


def _set_trend(run: RunRow, trend: Trend | TrendHead) -> None:
    of_share = {growth.share: growth for growth in trend.growth}
    total, disk = of_share.get("total"), of_share.get("disk")
    run.bytes_per_day, run.disk_bytes_per_day = _rate(total), _rate(disk)
    basis = disk if _rate(disk) is not None else total
    if basis is not None:
        run.trend_points, run.trend_seconds = _count(basis.points), _stored(basis.span_seconds)
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
            recovery=step.recovery.how if step.recovery else None,
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
            recovery=step.recovery.how if step.recovery else None, archived_bytes=step.archived_bytes,
        )
        for step in outcome.outcomes
    ]  # fmt: skip
    return Rows(runs=[run], removals=removals)


def _object_row(item: ReportedObject, run: int) -> ObjectRow:
    return ObjectRow(
        run=run, kind=item.kind, id=item.id, name=item.name, driver=item.driver, project=item.project,
        repository=item.repository, size_bytes=item.size_bytes, own_bytes=item.own_bytes, in_use=item.in_use,
        goes=item.goes, age_seconds=_stored(item.age_seconds), age_source=item.age_source, why=item.why,
    )  # fmt: skip


def _share_row(row: ShareOfDisk, run: int) -> ShareRow:
    return ShareRow(
        run=run, share=row.share, objects=_count(row.count), in_use=_count(row.in_use), low_bytes=row.size.low_bytes,
        high_bytes=row.size.high_bytes, reclaimable_low_bytes=row.reclaimable.low_bytes,
        reclaimable_high_bytes=row.reclaimable.high_bytes, unused_low_bytes=row.unused.low_bytes,
        unused_high_bytes=row.unused.high_bytes,
    )  # fmt: skip


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


def _count(number: int) -> int:
    return max(0, min(number, LARGEST))


def _stored(number: int | None) -> int | None:
    """Return a number that a column holds; None for a larger one, which is no measurement."""
    return None if number is None or not -LARGEST <= number <= LARGEST else number
