"""Makes the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dockersweep.model.history import Life
from dockersweep.model.inventory import Inventory, ScanWarning
from dockersweep.model.plan import ObjectRef, Plan
from dockersweep.model.report import Report, TrendPoint
from dockersweep.policy.disk_report.findings import find_all
from dockersweep.policy.disk_report.footprint import Footprint
from dockersweep.policy.disk_report.groups import ages, projects, repositories, sharing
from dockersweep.policy.disk_report.objects import reported_objects, whole_sizes
from dockersweep.policy.disk_report.scene import Scene
from dockersweep.policy.disk_report.shares import shares_of_disk
from dockersweep.policy.disk_report.trend import trend_of
from dockersweep.policy.planner import without_collector
from dockersweep.policy.totals import Totals, reclaim_of_unused
from dockersweep.policy.unmarked_volumes import unmarked_volumes
from dockersweep.policy.use import describe_use


@dataclass(frozen=True)
class Past:
    """What the ledger remembers of an engine."""

    points: tuple[TrendPoint, ...]
    """What earlier scans and this one counted, in the base of this one; the oldest first."""
    arrivals: tuple[Life, ...] = ()
    """The images without a tag that came in the last week."""


@without_collector()
def make_report(inventory: Inventory, plan: Plan, past: Past | None) -> Report:
    """Return the report on an inventory; `past` is None where there is no ledger."""
    uses = describe_use(inventory, plan.now)
    going = {ObjectRef(kind=one.kind, id=one.id) for one in plan.decisions if one.verdict == "remove"}
    if_unused_went = reclaim_of_unused(inventory, uses)
    sizes = whole_sizes(inventory, uses)
    in_use = [ObjectRef(kind=use.kind, id=use.id) for use in uses if use.in_use]
    footprint = Footprint(inventory, in_use, sizes)
    objects = reported_objects(inventory, uses, going, sizes, footprint)
    of_repositories = repositories(objects, footprint)
    trend = None if past is None else trend_of(_until(past.points, inventory.taken_at), inventory.disk)
    scene = Scene(
        inventory=inventory,
        now=plan.now,
        base=plan.size_base,
        objects={ObjectRef(kind=one.kind, id=one.id): one for one in objects},
        repositories=of_repositories,
        trend=trend,
        arrivals=past.arrivals if past else (),
        unmarked_volumes=unmarked_volumes(inventory, plan),
    )
    findings, silenced = find_all(scene, plan.policy.silenced_findings)
    totals = Totals(inventory)
    folder, remainder, warnings = _folder(inventory, totals)
    return Report(
        schema="dockersweep.report/1",
        engine=inventory.engine,
        taken_at=inventory.taken_at,
        now=plan.now,
        policy_source=plan.policy.source,
        size_base=plan.size_base,
        not_from_disk=plan.not_from_disk,
        shares=shares_of_disk(inventory, totals, uses, going, plan.reclaim_of_kinds, if_unused_went.of_kinds),
        folder_bytes=folder,
        remainder_bytes=remainder,
        disk=inventory.disk,
        reclaimable=plan.reclaim,
        unused=if_unused_went.total,
        objects=objects,
        projects=projects(objects, footprint),
        repositories=of_repositories,
        ages=ages(objects, footprint),
        sharing=sharing(footprint),
        findings=findings,
        silenced=silenced,
        trend=trend,
        warnings=(*plan.warnings, *warnings),
    )


def _until(points: Sequence[TrendPoint], now: datetime) -> list[TrendPoint]:
    """Return the points that are not later than this scan.

    The others are of a clock that was ahead once: the newest of all points is what a trend counts back from, and so
    a single one of them would hide all that came before it.
    """
    return [point for point in points if point.at <= now]


def _folder(inventory: Inventory, totals: Totals) -> tuple[int | None, int | None, tuple[ScanWarning, ...]]:
    """Return what the engine's folder takes, what of it is no object's, and why that is not known."""
    folder = None if inventory.folder is None else inventory.folder.size_bytes
    counted = totals.in_the_folder
    if folder is None or counted is not None:
        return folder, None if folder is None or counted is None else folder - counted, ()
    text = "not known: not everything that is in the engine's folder is counted in disk blocks"
    return folder, None, (ScanWarning(about="remainder", text=text),)
