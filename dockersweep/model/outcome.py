"""What became of a plan."""

from typing import Literal

from msgspec import Struct

from dockersweep.model.inventory import Bytes, Engine, Instant, Kind, ScanWarning

Status = Literal["removed", "gone", "skipped", "failed", "not-attempted"]


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of one removal. Every removal of a plan gets exactly one."""

    kind: Kind
    id: str
    name: str
    action: Literal["remove", "untag"]
    status: Status
    """removed; gone (it was already); skipped (changed, in use, or what holds it stayed); failed; not-attempted."""
    detail: str | None
    """Why, in words; None where it was simply removed."""
    freed_bytes: Bytes | None
    """What the engine's answer proves to have come back; None where it proves nothing."""


class Reclaimed(Struct, frozen=True, kw_only=True):
    """What the removals that went through give back."""

    low_bytes: Bytes
    high_bytes: Bytes | None
    measured_bytes: Bytes | None
    """From the engine's answers or the disk; None where neither can tell."""


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
