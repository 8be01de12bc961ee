"""What past runs did, and what they tell the ledger: the document dockersweep.history/1."""

from typing import Literal

from msgspec import Struct

from dockersweep.model.inventory import Engine, Kind
from dockersweep.model.outcome import Status
from dockersweep.model.plan import Interval
from dockersweep.model.quantities import Bytes, Instant
from dockersweep.model.reason import Reason
from dockersweep.model.storage import SizeBase

Action = Literal["remove", "untag"]
Recognition = dict[str, str | list[str] | dict[str, str] | None]
"""What an object was, so that it can be known again: of an image its tags, digests and labels."""


class ShareSize(Struct, frozen=True, kw_only=True):
    """What all of one sort took when it was scanned."""

    share: str
    """One of model.report.SHARES; "total", all of them; or "disk", all of the main disk that was not free, with what is
    reserved for root: of another disk "disk:" and its mount point."""
    base: SizeBase
    objects: int
    size_bytes: Bytes


class RunStart(Struct, frozen=True, kw_only=True):
    """What is known of a run before it removes anything."""

    engine: Engine
    verb: str
    started_at: Instant
    user: str
    """Who runs it."""
    pid: int
    version: str
    """Of dockersweep."""
    policy_source: str | None
    """Who asked for it: a policy, or a saved plan."""
    policy_sha256: str | None


class InHand(Struct, frozen=True, kw_only=True):
    """A removal that was sent, and whose outcome nobody wrote down."""

    kind: Kind
    id: str
    name: str
    action: Action


class UnfinishedRun(Struct, frozen=True, kw_only=True):
    """A run that has a start and no end."""

    number: int
    started_at: Instant
    pid: int
    in_hand: tuple[InHand, ...]


class PastRun(Struct, frozen=True, kw_only=True):
    """A run that was to remove something."""

    number: int
    verb: str
    engine_name: str | None
    endpoint: str | None
    started_at: Instant
    finished_at: Instant | None
    """None where it did not end, or has not yet."""
    state: Literal["ended", "running", "did-not-end"]
    """"running" is what has no end while its process is there; in another container that cannot be seen."""
    exit_status: int | None
    user: str
    pid: int
    version: str
    policy_source: str | None
    policy_sha256: str | None
    note: str | None
    """Why it was refused or ended before it removed anything, or that it was not confirmed; None where neither."""
    ended_early: str | None
    """Why the rest was not attempted; None where it went through."""
    removed: dict[Kind, int]
    """How many objects of each kind it removed."""
    tags_removed: int
    """How many tags of images that stayed."""
    not_removed: dict[Status, int]
    """How many objects, and tags of images that were to stay, ended in each other way."""
    predicted: Interval
    """What was predicted of just those that went."""
    measured_bytes: Bytes | None
    """What was measured to have been freed; None where nothing tells."""
    in_hand: tuple[InHand, ...]
    """What was sent when it broke off, or is under way."""

    @property
    def was_declined(self) -> bool:
        """Whether a person who was asked did not say yes."""
        return self.exit_status == 0 and self.note is not None


class PastRemoval(Struct, frozen=True, kw_only=True):
    """One removal of one run."""

    run: int
    started_at: Instant
    """When the run began."""
    engine_name: str | None
    kind: Kind
    id: str
    name: str
    action: Action
    reasons: tuple[Reason, ...]
    size_bytes: Bytes | None
    """All of it, what it shared included; None where it is not known, and for a tag."""
    predicted: Interval
    """What it was to free beside those before it."""
    recognition: Recognition
    sent_at: Instant | None
    """When the request was sent; None where it was not."""
    ended_at: Instant | None
    """When its outcome was known; None where it is not, or only a later run found it out."""
    status: Status | None
    """None where there is no outcome yet."""
    detail: str | None
    """Why, in words; None where it was simply removed."""
    freed_bytes: Bytes | None
    """What the engine's answer proves to have been freed."""


class Life(Struct, frozen=True, kw_only=True):
    """An object from when it was first seen till it was gone; one that comes back begins another."""

    engine_name: str | None
    kind: Kind
    id: str
    names: tuple[str, ...]
    """Those that it was last seen with, the tags of an image, and then those that it had before; empty where an older
    version wrote it."""
    first_seen_at: Instant
    first_seen_unused_at: Instant | None
    """Since when it has been seen unused; None where it is used, or gone."""
    last_seen_at: Instant | None
    """When a scan last saw it."""
    is_there: bool
    """Whether it was there when the engine was last read."""


class History(Struct, frozen=True, kw_only=True):
    """What the ledger tells: the document dockersweep.history/1."""

    schema: Literal["dockersweep.history/1"]
    path: str
    """The file that was read, whether or not it is there."""
    runs: tuple[PastRun, ...]
    """The newest first; where an object is asked for, those that removed it or tried to."""
    removals: tuple[PastRemoval, ...] = ()
    """Of the one run, or of the one object, that was asked for; the newest run first."""
    lives: tuple[Life, ...] = ()
    """Of the object that was asked for, the latest first."""
    problems: tuple[str, ...] | None = None
    """What `history verify` found to be wrong; None where it was not asked."""
