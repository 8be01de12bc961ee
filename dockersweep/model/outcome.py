"""The outcomes of a plan."""

from typing import Literal

from msgspec import Struct

from dockersweep.model.inventory import Engine, OfObject, ScanWarning
from dockersweep.model.plan import Interval
from dockersweep.model.quantities import Bounds, Bytes, Instant
from dockersweep.model.recovery import EarlyDeletion, Recovery
from dockersweep.model.storage import SizeBase

Status = Literal["removed", "gone", "skipped", "failed", "not-attempted"]


class Outcome(OfObject, frozen=True, kw_only=True):
    """The outcome of one removal. Every removal of a plan gets exactly one."""

    name: str
    action: Literal["remove", "untag"]
    status: Status
    """removed; gone (it did not exist, or no longer); skipped (changed, in use, or a holder stayed); failed;
    not-attempted."""
    detail: str | None
    """Why, for people; None where it was simply removed. Of what was removed because the archive had no room, that."""
    freed_bytes: Bytes | None
    """What was freed according to the engine's answer; None where it does not say."""
    is_unknown: bool = False
    """Whether it was sent, and its outcome could not be learned, even by looking again: the next run looks."""
    is_there: bool | None = None
    """Whether the object, or with `untag` its tag, still exists, by the engine's last answer about it; None where that
    is not known."""
    failed_runs: int | None = None
    """In how many runs in a row its removal has failed; None where it did not fail, or that is not known."""
    refusal: str | None = None
    """The engine's answer if it refused the removal; otherwise None."""
    recovery: Recovery | None = None
    """The way back after what was done; None from an older version, and where nothing was removed."""
    archived_bytes: Bytes | None = None
    """What it takes in the archive; None where it is not there."""
    is_not_archived: bool = False
    """Whether it was skipped because it could not be archived: a person has to look, or it stays every time."""


class DiskMeasurement(Struct, frozen=True, kw_only=True):
    """What a sweep did to the engine's disk."""

    gone: frozenset[str]
    """The ids of the parts that existed before and no longer do."""
    still_there: frozenset[str]
    """The ids of the parts that should be gone, and are not."""
    volumes: frozenset[str]
    """The parts of volumes that were measured together just before their removal."""
    volume_bytes: Bytes | None
    """The size of these; None where there are none."""
    free_space_bytes: int | None
    """By how much the free space of the disk grew; None where that cannot be read any more."""


class FreedOnDisk(Struct, frozen=True, kw_only=True):
    """What was freed on one of several disks of an engine."""

    disk: str
    """Where it is mounted: "/var/lib/docker/volumes"."""
    measured_bytes: Bytes | None
    """The size of what is gone there; None where the size of a part is not known."""


class Reclaimed(Bounds, frozen=True, kw_only=True):
    """What the completed removals freed; the bounds are the prediction for these."""

    measured_bytes: Bytes | None
    """From the engine's answers or the disk; None where neither says."""
    measured_by: Literal["disk", "answers"] | None = None
    """"disk": the sizes of folders and files that are gone now; "answers": the sum of `freed_bytes`."""
    free_space_bytes: int | None = None
    """By how much the free space of the engine's disk grew, with whatever others wrote or deleted meanwhile; None where
    the disk cannot be read."""
    surprises: tuple[str, ...] = ()
    """If measurement and prediction disagree: what is still there, or gone unexpectedly."""
    on_disks: tuple[FreedOnDisk, ...] = ()
    """The same for each disk, if the engine has several and they can be measured."""


class TargetOutcome(Struct, frozen=True, kw_only=True):
    """Whether a space target was reached."""

    wanted_bytes: Bytes | None
    """The bytes that had to be freed; None where that could not be measured."""
    freed_bytes: Bytes | None
    """The measured freed bytes, of several disks only those that were short of space; None where that is not known."""
    reached: bool | None
    """None where it could not be measured."""
    text: str
    """The last measurement, and why no more was removed, for people."""


class Archived(Struct, frozen=True, kw_only=True):
    """What a sweep has put into the archive."""

    folder: str
    """The folder of the archive."""
    objects: int
    archived_bytes: Bytes
    """What they take there: the length of all files of the run."""
    until: Instant
    """Until when they stay there."""
    on_engine_disk: bool | None
    """Whether that is on a disk of the engine, so that so much less was freed; None where that is not known."""


EndedBy = Literal["signal", "engine", "surprise", "ledger"]
"""What ended a sweep early: a signal; an engine that no longer answers; an engine that removed more than was requested;
a ledger that is required and cannot be written."""


class FailureDocument(Struct, frozen=True, kw_only=True):
    """A run that ended before its first removal, refused or failed, or one of a watcher whose process was killed: the
    document dockersweep.failure/1, which only the program of [notify] gets."""

    schema: Literal["dockersweep.failure/1"]
    verb: str
    machine: str
    """The host name of the machine that it ran on."""
    engine: Engine | None
    """None where it was not reached."""
    ended_at: Instant
    exit_status: int
    error: str
    """The sentence that it ended with."""
    policy_source: str
    """The policy in force: "the policy in /etc/dockersweep/dockersweep.toml"."""
    run: int | None
    """Its number in the ledger, for `dockersweep history`; None where it is not there."""


class OutcomeDocument(Struct, frozen=True, kw_only=True):
    """What a sweep did: the document dockersweep.outcome/1."""

    schema: Literal["dockersweep.outcome/1"]
    engine: Engine
    started_at: Instant
    finished_at: Instant
    ended_early: str | None
    """Why the rest was not attempted: "interrupted", or what happened to the engine; None where all was."""
    outcomes: tuple[Outcome, ...]
    reclaimed: Reclaimed
    warnings: tuple[ScanWarning, ...]
    """The warnings of the scan before it."""
    size_base: SizeBase = "lengths"
    """Whether all sizes are lengths or disk blocks."""
    predicted: Interval | None = None
    """The prediction for the whole plan."""
    policy_source: str | None = None
    """The policy behind it: "the policy in /etc/dockersweep/dockersweep.toml"."""
    target: TargetOutcome | None = None
    """None where the policy has no space target, or space was not short."""
    ended_by: EndedBy | None = None
    """Which of these it was; None where all was attempted."""
    run: int | None = None
    """Its number in the ledger, for `dockersweep history`; None without a ledger."""
    archived: Archived | None = None
    """None where nothing was archived."""
    deleted_early: tuple[EarlyDeletion, ...] = ()
    """The runs that were deleted from the archive before their time, to make room."""
