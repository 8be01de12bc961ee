"""The tables of documents: a struct for each, whose fields are its columns.

dockersweep(1) describes the columns. Unknown values are None, instants are in UTC, and `run` is the key of a document
within one reading.
"""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct, field

from dockersweep.model.fleet import HostStatus
from dockersweep.model.inventory import Kind
from dockersweep.model.outcome import Status
from dockersweep.model.quantities import Bytes
from dockersweep.model.recovery import How
from dockersweep.model.report import Severity
from dockersweep.model.storage import SizeBase

Count = Annotated[int, Meta(ge=0)]
MOST_HOSTS = 1_000_000
"""The run of the third host in the second file is 2000002."""


class RunRow(Struct, kw_only=True):
    """One document, or a host of a fleet document that has none."""

    run: int
    file: str
    document: str | None = None
    """"inventory", "plan", "report" or "outcome"; None for a host without a document."""
    host: str | None = None
    """The name in the fleet document, else the engine's name, else its endpoint."""
    groups: tuple[str, ...] = ()
    address: str | None = None
    status: HostStatus | None = None
    message: str | None = None
    exit_status: int | None = None
    seconds: float | None = None
    swarm_node_id: str | None = None
    """These seven are only known from a fleet document."""
    engine: str | None = None
    """A key that is equal for documents of one engine."""
    engine_id: str | None = None
    endpoint: str | None = None
    flavour: str | None = None
    version: str | None = None
    image_store: str | None = None
    made_at: datetime | None = None
    """When the engine was scanned; of a sweep when it began, of a host without a document when the fleet run ended."""
    policy_source: str | None = None
    size_base: SizeBase | None = None
    used_low_bytes: Bytes | None = None
    used_high_bytes: Bytes | None = None
    reclaimable_low_bytes: Bytes | None = None
    reclaimable_high_bytes: Bytes | None = None
    unused_low_bytes: Bytes | None = None
    unused_high_bytes: Bytes | None = None
    freed_bytes: Bytes | None = None
    failed: Count | None = None
    disk_total_bytes: Bytes | None = None
    disk_used_bytes: Bytes | None = None
    disk_free_bytes: Bytes | None = None
    bytes_per_day: int | None = None
    disk_bytes_per_day: int | None = None
    full_in_days: float | None = None
    full_in_days_soonest: float | None = None
    full_in_days_latest: float | None = None
    trend_points: Count | None = None
    trend_seconds: int | None = None
    """These seven are from the host's own ledger, by a report."""
    warnings: Count | None = None


class ObjectRow(Struct, kw_only=True, gc=False):
    """One object of an inventory, a report or a plan."""

    run: int
    kind: Kind
    id: str
    name: str
    driver: str | None = None
    project: str | None = None
    repository: str | None = None
    tags: tuple[str, ...] | None = None
    size_bytes: Bytes | None = None
    own_bytes: Bytes | None = None
    in_use: bool | None = None
    goes: bool | None = None
    age_seconds: int | None = None
    age_source: str | None = None
    why: str | None = None


class ShareRow(Struct, kw_only=True, gc=False):
    """The usage of one type."""

    run: int
    share: str
    objects: Count
    in_use: Count
    low_bytes: Bytes
    high_bytes: Bytes | None
    reclaimable_low_bytes: Bytes | None
    reclaimable_high_bytes: Bytes | None
    """None from a scan, which has no policy."""
    unused_low_bytes: Bytes
    unused_high_bytes: Bytes | None


class RepositoryRow(Struct, kw_only=True, gc=False):
    """The images of one repository."""

    run: int
    repository: str
    images: Count
    size_bytes: Bytes | None
    unused_bytes: Bytes | None


class FindingRow(Struct, kw_only=True, gc=False):
    """One finding."""

    run: int
    finding: str
    severity: Severity
    title: str
    objects: Count
    size_bytes: Bytes | None
    fix: str


class RemovalRow(Struct, kw_only=True, gc=False):
    """One removal of a plan, or its outcome."""

    run: int
    kind: Kind
    id: str
    name: str
    action: str
    low_bytes: Bytes | None = None
    high_bytes: Bytes | None = None
    status: Status | None = None
    """None for a removal that is only planned."""
    detail: str | None = None
    freed_bytes: Bytes | None = None
    recovery: How | None = None
    """None from an older version, and for what was not removed."""
    archived_bytes: Bytes | None = None


class Rows(Struct, kw_only=True):
    """The rows of one document, by table."""

    runs: list[RunRow]
    objects: list[ObjectRow] = field(default_factory=list)
    shares: list[ShareRow] = field(default_factory=list)
    repositories: list[RepositoryRow] = field(default_factory=list)
    findings: list[FindingRow] = field(default_factory=list)
    removals: list[RemovalRow] = field(default_factory=list)


TABLES: dict[str, type[Struct]] = {
    "runs": RunRow,
    "objects": ObjectRow,
    "shares": ShareRow,
    "repositories": RepositoryRow,
    "findings": FindingRow,
    "removals": RemovalRow,
}
"""Table -> the struct of its rows; the names of the fields of `Rows`."""
