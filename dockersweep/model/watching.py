"""What a watcher knows of itself, of which its metrics and its health are made, and what its parts tell each other."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from dockersweep.model.disk import Disk
from dockersweep.model.inventory import ScanWarning
from dockersweep.model.policy import NotifyOn, Policy
from dockersweep.model.quantities import Bytes, Instant

SweepCause = Literal["schedule", "space"]
"""Why a watcher sweeps: the schedule of the rules, or a space target that begins."""


class WatchedDisk(Struct, frozen=True, kw_only=True):
    """A disk that a space target is about, as statvfs tells it."""

    name: str
    total_bytes: Bytes
    free_bytes: Bytes
    begins: bool | None
    """Whether the target asks for space on it; None where that is not known without a scan."""


class LastSweep(Struct, frozen=True, kw_only=True):
    """How the last sweep of a watcher ended."""

    cause: SweepCause
    started_at: Instant
    finished_at: Instant
    exit_status: int
    removed: int | None
    """None where its process broke off."""
    freed_bytes: Bytes | None
    target_reached: bool | None
    """None without a target, and where it is not known."""
    run: int | None
    """Its number in the ledger."""
    problem: str | None = None
    """How it ended, in words, where it was refused, failed or missed its target."""


class EventState(Struct, frozen=True, kw_only=True):
    """What became of the engine's events so far."""

    is_connected: bool = False
    """Whether events come in now."""
    disconnected_at: float | None = None
    """Since when they do not, in seconds of the monotonic clock; None while they do."""
    refusal: str | None = None
    """Why they cannot be followed though the engine answers; None where they can, and while it is away."""
    received: int = 0
    recorded: int = 0
    """Of those received, the ones that are in the ledger, or are no uses."""
    gaps: int = 0
    """How often events were missed, or may have been."""
    gap_seconds: float = 0.0
    """How much time these gaps cover, the current one included."""
    complete_until: Instant | None = None
    """Up to when, by the engine's clock, every event is known; None before the first reading."""
    ledger_problem: str | None = None
    """Why they cannot be recorded."""

    @property
    def is_answering(self) -> bool:
        """Whether the engine is there, with or without its events."""
        return self.is_connected or self.refusal is not None


GapCause = Literal["not watched", "engine restarted", "connection lost", "too many events", "clock changed"]
"""Why events were missed, or may have been."""


class EventGap(Struct, frozen=True, kw_only=True):
    """Time of which not every event is known, by the engine's clock."""

    begins_at: Instant
    ends_at: Instant
    why: GapCause


class SummedGaps(Struct, frozen=True, kw_only=True):
    """Many gaps, told as one."""

    begins_at: Instant
    """When the first began."""
    ends_at: Instant
    gaps: int
    seconds: float
    """How long they were together."""
    why: GapCause
    """Of the last one."""


class LookedDisk(Struct, frozen=True, kw_only=True):
    """A disk of the engine as a scan found it."""

    disk: Disk
    is_asked: bool
    """Whether the target asks for space on it: objects of its kinds lie there."""
    held_bytes: Bytes | None
    """What the engine holds there; None where that is not known."""


class Look(Struct, frozen=True, kw_only=True):
    """What a scan tells a watcher of the engine's disks."""

    disks: tuple[LookedDisk, ...]
    """Empty where none can be seen from here."""
    why_unseen: str | None = None
    """Why none can be seen, or not all that the target is about."""


class ChildResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a process that scans or sweeps for a watcher tells it at its end."""

    exit_status: int
    problem: str | None = None
    """The error that ended it."""
    is_busy: bool = False
    """Whether that is another run at work on the engine."""
    broke_off: bool = False
    """Whether it ended without telling anything: what it did is not known, and it has told nobody whom the policy
    names."""
    events: tuple[NotifyOn, ...] = ()
    """How a sweep ended, in the words of [notify] on; empty where that is told to nobody."""
    look: Look | None = None
    """None where it could not scan."""
    has_outcome: bool = False
    """Whether it came so far that there is an outcome."""
    removed: int = 0
    failed: int = 0
    freed_bytes: Bytes | None = None
    target_began: bool = False
    """Whether the target asked for space."""
    target_reached: bool | None = None
    """None without a target that began, and where it is not known."""
    target: str | None = None
    """The last measurement for the target, in words."""
    run: int | None = None
    warnings: tuple[ScanWarning, ...] = ()
    """What it could not read or write, or found odd."""


class ChildTask(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What such a process gets on its standard input."""

    policy: Policy
    broken: ChildResult | None = None
    """The sweep that broke off of which it tells whom the policy names; None for any other work."""


class WatchState(Struct, frozen=True, kw_only=True):
    """A watcher at one moment."""

    started_at: Instant
    endpoint: str
    events: EventState
    policy_problem: str | None = None
    """Why the policy file as it is now is not in force, and an earlier one is."""
    disks: tuple[WatchedDisk, ...] = ()
    sweeping: SweepCause | None = None
    """Why a sweep is under way; None for none."""
    waits: str | None = None
    """Why a sweep that is due has not begun, in words."""
    next_sweep_at: Instant | None = None
    """When the rules are carried out next; None for never."""
    last_sweep: LastSweep | None = None
    sweeps: Mapping[tuple[SweepCause, int], int] = {}
    """How many sweeps ended with which exit status."""
    ticked_at: float = 0.0
    """When the watcher last went round, in seconds of the monotonic clock."""
