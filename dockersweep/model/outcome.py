"""What became of a plan."""

from typing import Literal

from msgspec import Struct

from dockersweep.model.inventory import Engine, OfObject, ScanWarning
from dockersweep.model.plan import Interval
from dockersweep.model.quantities import Bounds, Bytes, Instant
from dockersweep.model.storage import SizeBase

Status = Literal["removed", "gone", "skipped", "failed", "not-attempted"]


class Outcome(OfObject, frozen=True, kw_only=True):
    """What became of one removal. Every removal of a plan gets exactly one."""

    name: str
    action: Literal["remove", "untag"]
    status: Status
    """removed; gone (it was not there, or no more); skipped (changed, in use, or what holds it stayed); failed;
    not-attempted."""
    detail: str | None
    """Why, in words; None where it was simply removed."""
    freed_bytes: Bytes | None
    """What the engine's answer proves to have been freed; None where it proves nothing."""
    is_unknown: bool = False
    """Whether it was sent, and nothing told what became of it, also when looked up again: the next run looks."""
    is_there: bool | None = None
    """Whether the object, or with `untag` the tag on it, is still there, by the engine's last answer about it; None
    where nothing tells."""
    failed_runs: int | None = None
    """In how many runs one after the other its removal has failed now; None where it did not fail or nothing tells."""
    refusal: str | None = None
    """What the engine said where it refused the removal; None where it did not refuse it."""


class DiskMeasurement(Struct, frozen=True, kw_only=True):
    """What a sweep did to the engine's disk."""

    gone: frozenset[str]
    """The ids of the parts that were there before and are no longer."""
    still_there: frozenset[str]
    """Those that were to go, and did not."""
    volumes: frozenset[str]
    """The parts of volumes that were measured together just before they went."""
    volume_bytes: Bytes | None
    """What these took; None where there are none."""
    free_space_bytes: int | None
    """By how much the free space of the disk grew; None where it cannot be asked any more."""


class FreedOnDisk(Struct, frozen=True, kw_only=True):
    """What was freed on one of several disks of an engine."""

    disk: str
    """Where it is mounted: "/var/lib/docker/volumes"."""
    measured_bytes: Bytes | None
    """What is gone there now; None where the size of something that went was never known."""


class Reclaimed(Bounds, frozen=True, kw_only=True):
    """What the removals that went through free; the bounds are what was predicted of just those."""

    measured_bytes: Bytes | None
    """From the engine's answers or the disk; None where neither can tell."""
    measured_by: Literal["disk", "answers"] | None = None
    """"disk": the folders and files that are gone now, as large as they were; "answers": the sum of `freed_bytes`."""
    free_space_bytes: int | None = None
    """By how much the free space of the engine's disk grew, whoever else wrote to it or deleted from it meanwhile;
    None where the disk cannot be asked."""
    surprises: tuple[str, ...] = ()
    """What was to be freed and is still there, or went without being told, where measured and predicted disagree."""
    on_disks: tuple[FreedOnDisk, ...] = ()
    """The same measured on each disk by itself, where the engine lies on several and they can be asked."""


class TargetOutcome(Struct, frozen=True, kw_only=True):
    """Whether a space target was reached."""

    wanted_bytes: Bytes | None
    """What had to be freed; None where it could not be measured."""
    freed_bytes: Bytes | None
    """What was measured to have been freed, on the disks that were short of space where there are several; None where
    nothing tells."""
    reached: bool | None
    """None where it could not be measured."""
    text: str
    """What was measured last, and why it went no further, for a person."""


EndedBy = Literal["signal", "engine", "surprise", "ledger"]
"""What ended a sweep early: a signal; an engine that no longer answers; an engine that removed something else than it
was asked for; a ledger that cannot be written and is required."""


class OutcomeDocument(Struct, frozen=True, kw_only=True):
    """What a sweep did: the document dockersweep.outcome/1."""

    schema: Literal["dockersweep.outcome/1"]
    engine: Engine
    started_at: Instant
    finished_at: Instant
    ended_early: str | None
    """Why the rest was not attempted: "interrupted", or what became of the engine; None where it went through."""
    outcomes: tuple[Outcome, ...]
    reclaimed: Reclaimed
    warnings: tuple[ScanWarning, ...]
    """What the scan before it could not read."""
    size_base: SizeBase = "lengths"
    """What all sizes are counted in."""
    predicted: Interval | None = None
    """What the whole plan was to free."""
    policy_source: str | None = None
    """Which policy asked for it: "the policy in /etc/dockersweep/dockersweep.toml"."""
    target: TargetOutcome | None = None
    """None where the policy has no space target, or space was not short."""
    ended_by: EndedBy | None = None
    """Which of these it was; None where it went through."""
    run: int | None = None
    """Its number in the ledger, for `dockersweep history`; None where that was not written."""
