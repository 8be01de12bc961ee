"""Where the disk went: the document dockersweep.report/1."""

from typing import Literal

from msgspec import Struct

from dockersweep.model.disk import Disk
from dockersweep.model.inventory import Engine, Kind, OfObject, ScanWarning
from dockersweep.model.last_use import UseAction
from dockersweep.model.plan import Interval
from dockersweep.model.quantities import Bytes, Instant
from dockersweep.model.storage import SizeBase

Share = Literal["image", "writable-layer", "container-log", "volume", "network", "build-cache", "shared"]
"""What takes space: a container has two of these. "shared" is what images and the build cache have in common, which is
freed once neither holds it."""
SHARES: tuple[Share, ...] = (
    "image", "writable-layer", "container-log", "volume", "network", "build-cache", "shared",
)  # fmt: skip

GrownShare = Share | Literal["total", "disk"]
"""What has a growth of its own."""

Severity = Literal["critical", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "note")
"""The worst first."""


FindingId = Literal[
    "DS001", "DS002", "DS003", "DS004", "DS005", "DS006", "DS007", "DS008", "DS009", "DS010", "DS011", "DS012",
    "DS013", "DS014", "DS015", "DS016", "DS017", "DS018", "DS019", "DS020", "DS021", "DS022", "DS023", "DS024",
    "DS025", "DS026", "DS027",
]  # fmt: skip
"""The findings that there are: rows in policy.disk_report, in the *_findings.py of what they are about."""


class ShareOfDisk(Struct, frozen=True, kw_only=True):
    """What all of one sort take; what images and the build cache share is a sort of its own."""

    share: Share
    is_known: bool
    """False where it was not read; all else is then 0 or unknown."""
    count: int
    """How many objects there are; of what is shared, layers."""
    in_use: int
    """How many stay in use: what the policy in force would remove is not among them."""
    size: Interval
    """Unknown upwards where what one takes could not be read."""
    reclaimable: Interval
    """What the policy in force would free; never more than `unused`."""
    unused: Interval
    """What would be freed if all that is unused went, and what the policy would remove; never more than `size`."""
    external: int = 0
    """How many of the count are containers of other tools in Podman's storage, which no policy removes."""
    external_bytes: Bytes = 0
    """What of the size these take."""


class ReportedObject(OfObject, frozen=True, kw_only=True, gc=False):
    """One object: a row of the tables and a tile of the map."""

    name: str
    project: str | None
    """The compose project."""
    repository: str | None
    """Of an image: the repository of its first tag, or of its digest."""
    size_bytes: Bytes | None
    """All of it, what it shares included, and of a container its log, where that was read; None where it is not
    known."""
    own_bytes: Bytes | None
    """What it has for itself, which nothing else holds: the tiles of the map add up; None where it is not known."""
    in_use: bool
    goes: bool
    """Whether the policy in force would remove it."""
    age_seconds: int | None
    age_source: str | None
    last_action: UseAction | None = None
    """What the use was that the age counts from; None where that is not known."""
    why: str
    """Why it is in use, or its state: "used by container web-1 (running)"."""


class Group(Struct, frozen=True, kw_only=True):
    """What belongs together: a compose project, a repository, an age."""

    name: str
    """"billing"; "registry.example.com/app"; "a day to a week". What belongs to none is left out."""
    objects: int
    size_bytes: Bytes | None
    """Shared layers once; None where the size of one is not known."""
    unused_bytes: Bytes | None
    versions: int | None = None
    """Of a repository: how many images of it lie there; None for other groups."""


class SharedLayers(Struct, frozen=True, kw_only=True):
    """Layers that stand under the same number of images."""

    images: int
    layers: int
    size_bytes: Bytes | None


class Fix(Struct, frozen=True, kw_only=True):
    """What fixes what a finding is about."""

    command: str | None
    """The command to begin with, as a shell takes it: "docker diff web"; None where there is none."""
    rule: str | None
    """The [[rule]] for a policy file, as TOML; None where no rule fixes it."""
    text: str
    """What to do, as a sentence, with the command and the rule."""
    places: tuple[str, ...] = ()
    """The files and folders that the text says to take away while the engine is stopped."""


class Finding(Struct, frozen=True, kw_only=True):
    """Something that should be looked at, with what mends it."""

    id: str
    """Stable: "DS001". The policy file silences by it."""
    severity: Severity
    title: str
    """"2 container logs grow without a limit"."""
    evidence: tuple[str, ...]
    """A line for each object, the worst first; at most ten."""
    objects: int
    """How many it is about, all of them counted."""
    size_bytes: Bytes | None
    """What these take; None where it is not known or is not about space."""
    fix: Fix
    mend: str
    """The text of the fix."""


class GrowthOfShare(Struct, frozen=True, kw_only=True):
    """How one sort grows: the slope is the median of those between all pairs of points (Theil and Sen)."""

    share: GrownShare
    """"image" is with what images share with the build cache, "total" is all of them, "disk" what is used of the disk,
    by anything."""
    points: int
    span_seconds: int
    """Between the first and the last of the points."""
    bytes_per_day: int | None
    """None where there are too few points; below 0 where it shrinks."""
    low_bytes_per_day: int | None
    high_bytes_per_day: int | None
    """Between these lies the slope, with a confidence of about 90%."""
    grown_bytes: int | None
    """From the first point to the last."""


class TrendPoint(Struct, frozen=True, kw_only=True):
    """What there was at one scan."""

    at: Instant
    sizes: dict[str, Bytes | None]
    """By share; "disk" is what was used of the engine's main disk, "disk:" and a mount point the same of another."""


class Trend(Struct, frozen=True, kw_only=True):
    """How it has grown, by what earlier scans left in the ledger."""

    points: tuple[TrendPoint, ...]
    """The oldest first."""
    growth: tuple[GrowthOfShare, ...]
    """What grew most comes first; "disk" and "total" come last."""
    full_in_days: float | None
    """When the disk is full at this rate; None where it does not grow, or that is not known."""
    full_in_days_soonest: float | None
    full_in_days_latest: float | None
    """None where it may never be."""
    text: str
    """For a person, with the points it rests on: "at this rate the disk is full in 40 to 90 days (from 31 points)"."""


class Filling(Struct, frozen=True, kw_only=True):
    """Whether a disk fills up, and when it is full at that rate; as in Trend, which tells it of the main disk."""

    growth: GrowthOfShare
    full_in_days: float | None
    full_in_days_soonest: float | None
    full_in_days_latest: float | None
    text: str


class KindOnDisk(Struct, frozen=True, kw_only=True):
    """What all of one kind take on one disk; what images and the build cache share counts with the images."""

    kind: Kind
    size: Interval


class RemainderPart(Struct, frozen=True, kw_only=True):
    """A part of what is in the engine's folders and no object's."""

    path: str
    """The folder that it lies in."""
    size_bytes: Bytes
    what: str
    """For a person: "raft log and snapshots of the swarm"; empty where nothing is known of it."""


class ReportedDisk(Struct, frozen=True, kw_only=True):
    """One disk that something of the engine lies on."""

    disk: Disk
    share: str
    """By what name points of the trend have it: "disk" is the main one, another "disk:" and its mount point."""
    kinds: tuple[KindOnDisk, ...] | None
    """Those of which something lies there; None where sizes are lengths, which do not tell where anything lies."""
    folder_bytes: Bytes | None
    """What the engine's folders take there; None where that was not measured."""
    folder_is_whole: bool
    """False where more of them lies there than could be measured."""
    remainder_bytes: Bytes | None
    """What of these folders is no object's and no artifact's; None where that is not known."""
    reclaimable: Interval | None
    """What the policy in force would free there; None where sizes are lengths."""
    filling: Filling | None
    """None where there is no ledger."""
    artifacts_bytes: Bytes = 0
    """What Podman's artifacts take there."""
    remainder_parts: tuple[RemainderPart, ...] = ()
    """What the remainder is, the largest first; none where it is small."""


class Report(Struct, frozen=True, kw_only=True):
    """Where the disk went: the document dockersweep.report/1."""

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
    """What the engine's folders take on all disks, as du counts it; None where it cannot be measured."""
    remainder_bytes: int | None
    """What is in the folders besides all of the above; None where that is not known."""
    disk: Disk | None
    """The engine's main disk, that its own folder lies on."""
    reclaimable: Interval
    """What the policy in force would free."""
    unused: Interval
    """What would be freed if all that is unused went, and what the policy would remove."""
    objects: tuple[ReportedObject, ...]
    """All of them, the largest first."""
    projects: tuple[Group, ...]
    repositories: tuple[Group, ...]
    """Both the largest first."""
    ages: tuple[Group, ...]
    """Bands of age from the youngest on, and last what is of unknown age."""
    sharing: tuple[SharedLayers, ...]
    findings: tuple[Finding, ...]
    """The worst first."""
    silenced: tuple[str, ...]
    """The ids of findings that the policy silences, that would be in this report otherwise."""
    trend: Trend | None
    """None where there is no ledger."""
    warnings: tuple[ScanWarning, ...]
    folder_is_whole: bool = True
    """False where more lies in the folders than could be measured."""
    artifacts_bytes: Bytes = 0
    """What Podman's artifacts take, which are no objects of its lists."""
    disks: tuple[ReportedDisk, ...] = ()
    """All disks that something of the engine lies on, the main one first; none where they cannot be seen."""
