"""The parts of documents that the tables take.

A document is decoded into these, so that whatever else it has is checked to be JSON and skipped: the reports of a
month are read without their objects.
"""

from msgspec import Struct

from dockersweep.model.disk import Disk
from dockersweep.model.fleet import FleetHost
from dockersweep.model.inventory import Engine, OfObject, ScanWarning
from dockersweep.model.outcome import Outcome, Reclaimed
from dockersweep.model.plan import Interval
from dockersweep.model.quantities import Bytes, Instant
from dockersweep.model.recovery import Recovery
from dockersweep.model.report import Finding, Group, GrowthOfShare, ReportedObject, ShareOfDisk
from dockersweep.model.storage import SizeBase


class Document(Struct, frozen=True, kw_only=True, tag_field="schema"):
    """What documents of one engine have in common."""

    engine: Engine
    warnings: tuple[ScanWarning, ...]


class InventoryHead(Document, frozen=True, kw_only=True, tag="dockersweep.inventory/1"):
    """An inventory without its objects."""

    taken_at: Instant
    disk: Disk | None = None


class TrendHead(Struct, frozen=True, kw_only=True):
    """A trend without the points that it is from."""

    growth: tuple[GrowthOfShare, ...]
    full_in_days: float | None
    full_in_days_soonest: float | None
    full_in_days_latest: float | None


class ReportHead(Document, frozen=True, kw_only=True, tag="dockersweep.report/1"):
    """The sums of a report."""

    taken_at: Instant
    policy_source: str
    size_base: SizeBase
    shares: tuple[ShareOfDisk, ...]
    disk: Disk | None
    reclaimable: Interval
    unused: Interval
    trend: TrendHead | None


class WholeReport(Document, frozen=True, kw_only=True, tag="dockersweep.report/1"):
    """What a report lists."""

    shares: tuple[ShareOfDisk, ...]
    repositories: tuple[Group, ...]
    findings: tuple[Finding, ...]
    objects: tuple[ReportedObject, ...]


class PolicyName(Struct, frozen=True):
    """The policy of a plan."""

    source: str


class PlannedRemoval(OfObject, frozen=True, kw_only=True, gc=False):
    """One step of a plan."""

    name: str
    action: str
    reclaim: Interval
    recovery: Recovery | None = None


class Decided(OfObject, frozen=True, kw_only=True, gc=False):
    """The decision on one object."""

    name: str
    verdict: str
    size_bytes: Bytes | None
    age_seconds: int | None
    age_source: str | None


class PlanHead(Document, frozen=True, kw_only=True, tag="dockersweep.plan/1"):
    """A plan without the decisions on what is kept."""

    taken_at: Instant
    policy: PolicyName
    removals: tuple[PlannedRemoval, ...]
    reclaim: Interval
    size_base: SizeBase = "lengths"
    foreseen_at: Instant | None = None


class WholePlan(Document, frozen=True, kw_only=True, tag="dockersweep.plan/1"):
    """The decisions of a plan."""

    decisions: tuple[Decided, ...]


class OutcomeHead(Document, frozen=True, kw_only=True, tag="dockersweep.outcome/1"):
    """What a sweep did."""

    started_at: Instant
    outcomes: tuple[Outcome, ...]
    reclaimed: Reclaimed
    size_base: SizeBase = "lengths"
    policy_source: str | None = None


class FleetHead(Struct, frozen=True, kw_only=True, tag_field="schema", tag="dockersweep.fleet/1"):
    """What a verb did on several hosts."""

    finished_at: Instant
    hosts: tuple[FleetHost, ...]


Head = InventoryHead | ReportHead | PlanHead | OutcomeHead
Readable = Head | FleetHead
NAME_OF: dict[type[Document], str] = {
    InventoryHead: "inventory", ReportHead: "report", PlanHead: "plan", OutcomeHead: "outcome",
}  # fmt: skip
