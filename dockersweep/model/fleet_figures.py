"""The figures of a fleet report as they come from the rows of documents, before anything is made of growth."""

from msgspec import Struct

from dockersweep.model.fleet import HostStatus
from dockersweep.model.fleet_report import FleetFinding, ImageUse, KindRemoved, RepositoryUse, SharedVolume
from dockersweep.model.quantities import Instant
from dockersweep.model.report import Severity, ShareOfDisk


class HostFacts(Struct, frozen=True, kw_only=True):
    """What the documents tell of one engine, or of a host that was never reached; the columns of the view `hosts`."""

    label: str
    host: str
    also: tuple[str, ...]
    engine: str | None
    engine_id: str | None
    endpoint: str | None
    flavour: str | None
    version: str | None
    documents: int
    taken_at: Instant | None
    status: HostStatus | None
    message: str | None
    used_low_bytes: int | None
    used_high_bytes: int | None
    reclaimable_low_bytes: int | None
    reclaimable_high_bytes: int | None
    unused_low_bytes: int | None
    unused_high_bytes: int | None
    disk_total_bytes: int | None
    disk_used_bytes: int | None
    disk_free_bytes: int | None
    freed_bytes: int | None
    failed: int
    newest_run: int | None
    has_findings: bool
    """Whether its newest document has been judged, so that none means none."""


class LedgerFacts(Struct, frozen=True, kw_only=True):
    """What the newest report of an engine says of its growth, from the host's own ledger."""

    run: int
    bytes_per_day: int | None
    disk_bytes_per_day: int | None
    full_in_days: float | None
    full_in_days_soonest: float | None
    full_in_days_latest: float | None
    trend_points: int | None
    trend_seconds: int | None


class UsagePoint(Struct, frozen=True, kw_only=True):
    """What one document says an engine used."""

    engine: str
    made_at: Instant
    used_bytes: int | None
    disk_used_bytes: int | None
    disk_free_bytes: int | None
    size_base: str | None


class Figures(Struct, frozen=True, kw_only=True):
    """All figures of a fleet report but those of growth."""

    documents: int
    first_at: Instant | None
    last_at: Instant | None
    hosts: tuple[HostFacts, ...]
    ledgers: dict[int, LedgerFacts]
    """The run of a newest report -> what it says."""
    points: tuple[UsagePoint, ...]
    """By engine, the oldest first."""
    severities: dict[int, dict[Severity, int]]
    """The run of a newest report or inventory -> its findings by severity."""
    shares: tuple[ShareOfDisk, ...]
    repositories: tuple[RepositoryUse, ...]
    images: tuple[ImageUse, ...]
    volumes: tuple[SharedVolume, ...]
    findings: tuple[FleetFinding, ...]
    removed: tuple[KindRemoved, ...]
