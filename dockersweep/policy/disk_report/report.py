"""Puts the report together."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.model.history import Life
from dockersweep.model.inventory import Inventory
from dockersweep.model.policy import Policy
from dockersweep.model.quantities import known_sum
from dockersweep.model.report import ArchiveState, Group, Report, ReportedDisk, ReportedObject, Trend, TrendPoint
from dockersweep.policy.bytes.totals import share_of_disk
from dockersweep.policy.disk_report.disks import folder_warnings, reported_disks, stored_on_disks
from dockersweep.policy.disk_report.finding_facts import FindingFacts
from dockersweep.policy.disk_report.findings import find_all
from dockersweep.policy.disk_report.footprint import Footprint
from dockersweep.policy.disk_report.groups import ages, projects, repositories, sharing
from dockersweep.policy.disk_report.objects import largest_first, reported_objects, whole_sizes
from dockersweep.policy.disk_report.shares import shares_of_disk
from dockersweep.policy.disk_report.trend import as_df_counts, trend_of
from dockersweep.policy.judging.foreseen import Foreseen
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.judging.unmarked_volumes import unmarked_volumes
from dockersweep.policy.judging.unwatched import unwatched_objects


class Past(Struct, frozen=True):
    """What the ledger knows about an engine's past."""

    points: tuple[TrendPoint, ...]
    """The sizes of earlier scans and this one, in the size base of this one; the oldest first."""
    arrivals: tuple[Life, ...] = ()
    """The images without a tag that arrived in the last week."""


def make_report(
    survey: Survey, policy: Policy, foreseen: Foreseen, past: Past | None, archives: Sequence[ArchiveState] = ()
) -> Report:
    """Return the report on an inventory, and on what a policy would do; `past` is None where there is no ledger.
    The first of the archives is that of the policy, if it has one."""
    inventory = survey.inventory
    going = frozenset(foreseen.going)
    rows = survey.layer_graph.rows()
    reclaimable = survey.reclaim.by_row(foreseen.going, rows)
    # The policy may also remove objects that only unused objects hold.
    unused = survey.reclaim.by_row([ref for ref in survey.objects if ref in survey.unused or ref in going], rows)
    sizes = whole_sizes(survey)
    footprint = Footprint(survey, sizes)
    objects = reported_objects(survey, policy, sizes, going, footprint)
    of_repositories = repositories(objects, footprint)
    trend = None if past is None else _trend(past.points, inventory)
    stored = stored_on_disks(survey, going)
    disks = reported_disks(survey, stored, trend)
    facts = replace(_facts(survey, policy, foreseen, past, objects, of_repositories, disks), archives=tuple(archives))
    findings, silenced = find_all(facts, policy.silenced_findings)
    return Report(
        schema="dockersweep.report/1",
        engine=inventory.engine,
        taken_at=inventory.taken_at,
        now=survey.now,
        policy_source=policy.source,
        size_base=survey.size_base,
        not_from_disk=inventory.storage.not_from_disk if inventory.storage else None,
        shares=shares_of_disk(survey, going, reclaimable, unused),
        folder_bytes=known_sum([on_disk.folder_bytes for on_disk in stored]) if stored else None,
        folder_is_whole=all(on_disk.folder_is_whole for on_disk in stored),
        remainder_bytes=known_sum([on_disk.remainder_bytes for on_disk in stored]) if stored else None,
        artifacts_bytes=sum(on_disk.artifacts_bytes for on_disk in stored),
        disk=inventory.disk,
        disks=disks,
        archive=next(iter(archives), None),
        other_archives=tuple(archives[1:]),
        reclaimable=reclaimable.total,
        unused=unused.total,
        objects=largest_first(objects.values()),
        projects=projects(objects, footprint),
        repositories=of_repositories,
        ages=ages(objects, footprint),
        sharing=sharing(footprint),
        findings=findings,
        silenced=silenced,
        trend=trend,
        warnings=(*foreseen.warnings, *folder_warnings(stored)),
    )


def _facts(
    survey: Survey,
    policy: Policy,
    foreseen: Foreseen,
    past: Past | None,
    objects: Mapping[int, ReportedObject],
    of_repositories: tuple[Group, ...],
    disks: tuple[ReportedDisk, ...],
) -> FindingFacts:
    """Return the input of the findings."""
    inventory = survey.inventory
    return FindingFacts(
        survey=survey,
        objects=dict(zip(survey.objects, objects.values(), strict=True)),
        repositories=of_repositories,
        disks=disks,
        decision_of=foreseen.decision_of,
        arrivals=past.arrivals if past else (),
        unmarked_volumes=unmarked_volumes(inventory, policy, foreseen.decision_of),
        unwatched=tuple(unwatched_objects(survey, policy, foreseen.decision_of)),
    )


def _trend(points: Sequence[TrendPoint], inventory: Inventory) -> Trend:
    reserved = {share_of_disk(disk, inventory.disk): disk.reserved for disk in inventory.disks}
    counted = as_df_counts(_until(points, inventory.taken_at), reserved)
    return trend_of(counted, inventory.disk, is_only_disk=not inventory.other_disks)


def _until(points: Sequence[TrendPoint], now: datetime) -> list[TrendPoint]:
    """Return the points that are not later than this scan.

    Later ones are from a clock that was ahead. A trend looks back from its newest point, so a single one of them would
    hide the real ones.
    """
    return [point for point in points if point.at <= now]
