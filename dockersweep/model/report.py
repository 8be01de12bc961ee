"""Disk usage and findings: the document dockersweep.report/1."""

from typing import Literal

from msgspec import Struct

from dockersweep.model.disk import Disk
from dockersweep.model.inventory import Engine, Kind, OfObject, ScanWarning
from dockersweep.model.last_use import UseAction
from dockersweep.model.plan import Interval
from dockersweep.model.quantities import Bytes, Instant
from dockersweep.model.recovery import Recovery
from dockersweep.model.storage import SizeBase

Share = Literal["image", "writable-layer", "container-log", "volume", "network", "build-cache", "shared"]
"""The types of space usage; a container has two. "shared" is what images and the build cache have in common, which is
freed once neither has it."""
SHARES: tuple[Share, ...] = (
    "image", "writable-layer", "container-log", "volume", "network", "build-cache", "shared",
)  # fmt: skip

GrownShare = Share | Literal["total", "disk"]
"""The types of space usage whose growth is shown."""

Severity = Literal["critical", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "note")
"""The worst first."""


FindingId = Literal[
    "DS001", "DS002", "DS003", "DS004", "DS005", "DS006", "DS007", "DS008", "DS009", "DS010", "DS011", "DS012",
    "DS013", "DS014", "DS015", "DS016", "DS017", "DS018", "DS019", "DS020", "DS021", "DS022", "DS023", "DS024",
    "DS025", "DS026", "DS027", "DS028", "DS029", "DS030",
]  # fmt: skip
"""All findings: rows in policy.disk_report, in *_findings.py."""


class ShareOfDisk(Struct, frozen=True, kw_only=True):
    """The space usage of one type; what images and the build cache share is a type of its own."""

    share: Share
    is_known: bool
    """False where it was not read; then all numbers are 0 or unknown."""
    count: int
    """The number of objects; of layers for "shared"."""
    in_use: int
    """How many are in use; not those that the policy in force removes."""
    size: Interval
    """Without an upper bound where one size could not be read."""
    reclaimable: Interval
    """What the policy in force frees; never more than `unused`."""
    unused: Interval
    """What removing everything unused, and what the policy removes, would free; never more than `size`."""
    external: int = 0
    """How many of the count are containers of other tools in Podman's storage, which no policy removes."""
    external_bytes: Bytes = 0
    """Their part of the size."""


class ReportedObject(OfObject, frozen=True, kw_only=True, gc=False):
    """One object: a row of the tables and a tile of the map."""

    name: str
    project: str | None
    """The compose project."""
    repository: str | None
    """Of an image: the repository of its first tag, or of its digest."""
    size_bytes: Bytes | None
    """All of it, including what it shares, and the log of a container, if that was read; None where it is not
    known."""
    own_bytes: Bytes | None
    """What nothing else has: the tiles of the map add up; None where it is not known."""
    in_use: bool
    goes: bool
    """Whether the policy in force removes it."""
    age_seconds: int | None
    age_source: str | None
    last_action: UseAction | None = None
    """The use that the age counts from; None where that is not known."""
    why: str
    """Why it is in use, or its state: "used by container web-1 (running)"."""
    driver: str | None = None
    """Of a volume; None from an earlier version."""
    recovery: Recovery | None = None
    """How its removal by the policy in force could be taken back; None if it stays, and from an earlier version."""


class Group(Struct, frozen=True, kw_only=True):
    """Objects that belong together: of a compose project, a repository, an age band."""

    name: str
    """"billing"; "registry.example.com/app"; "a day to a week". Objects without a group are left out."""
    objects: int
    size_bytes: Bytes | None
    """With shared layers once; None where the size of one is not known."""
    unused_bytes: Bytes | None
    versions: int | None = None
    """The number of images of a repository; None for other groups."""


class SharedLayers(Struct, frozen=True, kw_only=True):
    """Layers that the same number of images have."""

    images: int
    layers: int
    size_bytes: Bytes | None


class Fix(Struct, frozen=True, kw_only=True):
    """The fix of a finding."""

    command: str | None
    """The first command, quoted for a shell: "docker diff web"; None where there is none."""
    rule: str | None
    """The [[rule]] for a policy file, as TOML; None where no rule fixes it."""
    text: str
    """What to do, as a sentence, with the command and the rule."""
    places: tuple[str, ...] = ()
    """The files and folders to remove, according to the text, while the engine is stopped."""


class Finding(Struct, frozen=True, kw_only=True):
    """Something to look at, with its fix."""

    id: str
    """Stable: "DS001". Policy files silence findings by id."""
    severity: Severity
    title: str
    """"2 container logs grow without a limit"."""
    evidence: tuple[str, ...]
    """A line for each object, the worst first; at most ten."""
    objects: int
    """The number of all objects that it is about."""
    size_bytes: Bytes | None
    """The size of these; None where it is not known or the finding is not about space."""
    fix: Fix
    mend: str
    """The text of the fix."""


class GrowthOfShare(Struct, frozen=True, kw_only=True):
    """The growth of one type: the slope is the median of the slopes between all pairs of points (Theil and Sen)."""

    share: GrownShare
    """"image" includes what images share with the build cache, "total" is all types, "disk" everything on the disk, of
    whatever program."""
    points: int
    span_seconds: int
    """Between the first and the last of the points."""
    bytes_per_day: int | None
    """None where there are too few points; negative where it shrinks."""
    low_bytes_per_day: int | None
    high_bytes_per_day: int | None
    """The slope is between these, with a confidence of about 90%."""
    grown_bytes: int | None
    """From the first point to the last."""


class TrendPoint(Struct, frozen=True, kw_only=True):
    """The sizes at one scan."""

    at: Instant
    sizes: dict[str, Bytes | None]
    """Share -> size; "disk" is the usage of the engine's main disk, "disk:" and a mount point that of another."""


class Trend(Struct, frozen=True, kw_only=True):
    """The growth over the scans in the ledger."""

    points: tuple[TrendPoint, ...]
    """The oldest first."""
    growth: tuple[GrowthOfShare, ...]
    """The fastest first; "total" and "disk" come last."""
    full_in_days: float | None
    """When the disk will be full at this rate; None where it does not grow, or that is not known."""
    full_in_days_soonest: float | None
    full_in_days_latest: float | None
    """None where it may never be full."""
    text: str
    """For people, with its basis: "at this rate the disk is full in 40 to 90 days (from 31 scans over 30 days)"."""


class Filling(Struct, frozen=True, kw_only=True):
    """Whether a disk fills up, and when it will be full at that rate; like the fields of Trend for the main disk."""

    growth: GrowthOfShare
    full_in_days: float | None
    full_in_days_soonest: float | None
    full_in_days_latest: float | None
    text: str


class KindOnDisk(Struct, frozen=True, kw_only=True):
    """The space usage of one kind on one disk; what images and the build cache share counts with the images."""

    kind: Kind
    size: Interval


class RemainderPart(Struct, frozen=True, kw_only=True):
    """A part of what is in the engine's folders and belongs to no object."""

    path: str
    """Its folder."""
    size_bytes: Bytes
    what: str
    """For people: "raft log and snapshots of the swarm"; empty where nothing is known about it."""


class ReportedDisk(Struct, frozen=True, kw_only=True):
    """One disk of the engine."""

    disk: Disk
    share: str
    """Its key in the points of the trend: "disk" for the main one, for others "disk:" and the mount point."""
    kinds: tuple[KindOnDisk, ...] | None
    """The kinds with objects on it; None where sizes are lengths, without places."""
    folder_bytes: Bytes | None
    """How much the engine's folders use there; None where that was not measured."""
    folder_is_whole: bool
    """False where a part of them could not be measured."""
    remainder_bytes: Bytes | None
    """How much of these folders belongs to neither objects nor artifacts; None where that is not known."""
    reclaimable: Interval | None
    """What the policy in force frees there; None where sizes are lengths."""
    filling: Filling | None
    """None where there is no ledger."""
    artifacts_bytes: Bytes = 0
    """How much Podman's artifacts use there."""
    remainder_parts: tuple[RemainderPart, ...] = ()
    """The parts of the remainder, the largest first; none where it is small."""


class ArchiveState(Struct, frozen=True, kw_only=True):
    """An archive, whether or not it can be used."""

    folder: str
    problem: str | None = None
    """Why it cannot be read, or nothing can be put into it; None where it can be used."""
    objects: int = 0
    """How many objects of engines are in it."""
    runs: int = 0
    """How many runs they are of."""
    size_bytes: Bytes | None = None
    """What it takes; None where that is not known."""
    oldest_at: Instant | None = None
    newest_at: Instant | None = None
    """When the first and the last run began of those in it; both None where it is empty, or not known."""
    until_first: Instant | None = None
    until_last: Instant | None = None
    """When the first and the last of them go; both None where it is empty, or not known."""
    verified_at: Instant | None = None
    """When the run was verified whose last verification is the oldest; None where none was."""
    unverified_runs: int = 0
    """How many runs were never verified."""
    on_engine_disk: bool | None = None
    """Whether it is on a disk of the engine; None where that is not known."""
    max_bytes: Bytes | None = None
    """What it may take; None for no limit."""
    free_bytes: Bytes | None = None
    """What is free on its disk."""
    min_free_bytes: Bytes | None = None
    """What has to stay free there."""
    damaged: tuple[str, ...] = ()
    """The damaged files, as the last `archive verify` found them: a sentence each."""


class Report(Struct, frozen=True, kw_only=True):
    """Disk usage and findings: the document dockersweep.report/1."""

    schema: Literal["dockersweep.report/1"]
    engine: Engine
    taken_at: Instant
    now: Instant
    policy_source: str
    size_base: SizeBase
    not_from_disk: str | None
    """Why sizes are lengths; None where they are disk blocks."""
    shares: tuple[ShareOfDisk, ...]
    """In the order of SHARES."""
    folder_bytes: Bytes | None
    """How much the engine's folders use on all disks, as du counts; None where it cannot be measured."""
    remainder_bytes: int | None
    """How much of the folders belongs to neither objects nor artifacts; None where that is not known."""
    disk: Disk | None
    """The engine's main disk, with its own folder."""
    reclaimable: Interval
    """What the policy in force frees."""
    unused: Interval
    """What removing everything unused, and what the policy removes, would free."""
    objects: tuple[ReportedObject, ...]
    """All objects, the largest first."""
    projects: tuple[Group, ...]
    repositories: tuple[Group, ...]
    """Both the largest first."""
    ages: tuple[Group, ...]
    """Age bands, the youngest first, unknown ages last."""
    sharing: tuple[SharedLayers, ...]
    findings: tuple[Finding, ...]
    """The worst first."""
    silenced: tuple[str, ...]
    """The ids of the findings of this report that the policy silences."""
    trend: Trend | None
    """None where there is no ledger."""
    warnings: tuple[ScanWarning, ...]
    folder_is_whole: bool = True
    """False where a part of the folders could not be measured."""
    artifacts_bytes: Bytes = 0
    """How much Podman's artifacts use, which are not among the objects."""
    disks: tuple[ReportedDisk, ...] = ()
    """All disks of the engine, the main one first; none where they cannot be seen."""
    archive: ArchiveState | None = None
    """The archive of removed objects; None where there is none."""
    other_archives: tuple[ArchiveState, ...] = ()
    """Those that are elsewhere, as the ledger tells, and that are there."""
