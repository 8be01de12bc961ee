"""What many hosts use, from a folder of their documents or from a run on all of them: dockersweep.fleet-report/1.

Each engine counts once, however many hosts lead to it; for the present counts its newest report or inventory.
"""

from typing import Literal

from msgspec import Struct

from dockersweep.model.fleet import HostStatus
from dockersweep.model.inventory import Kind
from dockersweep.model.plan import Interval
from dockersweep.model.quantities import Bytes, Instant
from dockersweep.model.report import GrowthOfShare, Severity, ShareOfDisk


class SkippedFile(Struct, frozen=True, kw_only=True):
    """A file, or a document within one, that could not be read, so that no figure has it."""

    file: str
    why: str
    """In one sentence, which names the file."""


class HostUsage(Struct, frozen=True, kw_only=True):
    """One engine, by the name of its host; or a host that was never reached."""

    name: str
    also: tuple[str, ...] = ()
    """Other names under which the same engine was reached."""
    engine_id: str | None = None
    """The engine's own id; None on Podman, and of a host that was never reached."""
    address: str | None = None
    """The URL of its engine in its newest document, else what the fleet calls its address."""
    version: str | None = None
    """"Docker 28.5.2", "Podman 5.8.0"."""
    documents: int = 0
    """How many documents tell of it."""
    taken_at: Instant | None = None
    """When it was last scanned; None where no report, inventory or plan tells."""
    status: HostStatus | None = None
    """What became of the last fleet run there; None where no document of a fleet names it."""
    message: str | None = None
    """Why that was not done."""
    used: Interval | None = None
    """What all of its objects take; None where neither a report nor an inventory tells."""
    reclaimable: Interval | None = None
    """What the policy in force there would free, by the newest report or plan."""
    unused: Interval | None = None
    """What removing everything unused would free."""
    disk_total_bytes: Bytes | None = None
    disk_used_bytes: Bytes | None = None
    """As df counts; both of the main disk, None where it could not be seen."""
    growth: GrowthOfShare | None = None
    """How what the objects take grows."""
    disk_growth: GrowthOfShare | None = None
    """How the use of the main disk grows, by whatever program."""
    growth_from: Literal["documents", "ledger"] | None = None
    """Whether these are from the documents, or, where they are too few or too close, from the host's own ledger."""
    full_in_days: float | None = None
    """When the main disk will be full at this rate; None where it does not grow, or that is not known."""
    full_in_days_soonest: float | None = None
    full_in_days_latest: float | None = None
    findings: dict[Severity, int] | None = None
    """How many findings its newest report has of each severity; None without one."""
    freed_bytes: Bytes | None = None
    """What the sweeps in the documents freed, as far as it was measured; None where no sweep is among them."""
    failed: int = 0
    """How many removals failed in these sweeps, or were not attempted."""


class RepositoryUse(Struct, frozen=True, kw_only=True):
    """What the images of one repository take on all hosts."""

    name: str
    hosts: int
    images: int
    """Copies on all hosts."""
    size_bytes: Bytes
    """The sum of the hosts', where the size is known; layers that images of a host share count once there."""
    unused_bytes: Bytes
    unknown_hosts: int = 0
    """On how many hosts the size is not known."""


class ImageUse(Struct, frozen=True, kw_only=True):
    """One image that several hosts have."""

    id: str
    name: str
    """Its name on most of them."""
    hosts: int
    in_use: int | None
    """On how many it is in use; None where that is not known of each, as a plan does not tell."""
    size_bytes: Bytes | None
    """Of one copy."""
    all_bytes: Bytes | None
    """Of all copies."""


class SharedVolume(Struct, frozen=True, kw_only=True):
    """A volume of a driver that is not local, which several hosts have: what one does not use, another may."""

    name: str
    driver: str
    used_on: tuple[str, ...]
    """The hosts that use it."""
    unused_on: tuple[str, ...]
    """The hosts that have it and do not use it."""
    goes_on: tuple[str, ...] = ()
    """The hosts whose policy would remove it."""


class FleetFinding(Struct, frozen=True, kw_only=True):
    """One finding, and the hosts that have it."""

    id: str
    severity: Severity
    """The worst of the hosts'."""
    title: str
    """Of the host where it is about most objects: "12 container logs grow without a limit"."""
    hosts: tuple[str, ...]
    """The names of the hosts, the most objects first."""
    objects: int
    """All objects that it is about, on all hosts."""
    size_bytes: Bytes | None
    """The sum of the known sizes; None where none is known."""


class KindRemoved(Struct, frozen=True, kw_only=True):
    """What the sweeps in the documents did with one kind."""

    kind: Kind
    removed: int
    failed: int


class FleetReport(Struct, frozen=True, kw_only=True):
    """What many hosts use, what grows, and what to fix: the document dockersweep.fleet-report/1."""

    schema: Literal["dockersweep.fleet-report/1"]
    source: str
    """The folder, or what else was read, for people."""
    documents: int
    """How many documents were read."""
    first_at: Instant | None
    """When the oldest of them was made; None where none tells."""
    last_at: Instant | None
    engines: int
    """How many different engines they tell of."""
    hosts: tuple[HostUsage, ...]
    """Hosts that were not reached first, then by the days until their disk is full, then by growth."""
    shares: tuple[ShareOfDisk, ...]
    """The usage by type, summed up over the engines; a type is known where at least one engine tells."""
    used: Interval
    reclaimable: Interval
    unused: Interval
    """What all engines use, what their policies would free, and what removing everything unused would; without an
    upper bound where one of them does not tell."""
    disk_total_bytes: Bytes
    disk_used_bytes: Bytes
    """Of the main disks that could be seen."""
    freed_bytes: Bytes
    """What the sweeps in the documents freed, as far as it was measured."""
    removed: tuple[KindRemoved, ...]
    """What they removed; empty where no sweep is among them."""
    repositories: tuple[RepositoryUse, ...]
    """The largest first; at most a hundred."""
    images: tuple[ImageUse, ...]
    """The images that most hosts have; at most a hundred, none that only one has."""
    volumes: tuple[SharedVolume, ...]
    """Those that are unused on one host and in use on another first; at most a hundred."""
    findings: tuple[FleetFinding, ...]
    """The worst first, then those of the most hosts."""
    skipped: tuple[SkippedFile, ...] = ()
    """What could not be read."""
