"""Past runs, as the ledger has them: the document dockersweep.history/1."""

from typing import Literal

from msgspec import Struct

from dockersweep.model.inventory import Engine, Kind, OfObject
from dockersweep.model.outcome import Status
from dockersweep.model.plan import Interval
from dockersweep.model.quantities import Bytes, Instant
from dockersweep.model.reason import Reason
from dockersweep.model.recovery import EarlyDeletion, How, RestoreAction, RestoreStatus
from dockersweep.model.storage import SizeBase

_SOME_FAILED = 3
"""The exit status of a run that did not do all that it was to do."""

Action = Literal["remove", "untag"]
Recognition = dict[str, str | list[str] | dict[str, str] | None]
"""What identifies a removed object for people: for an image its tags, digests and labels."""


class ShareSize(Struct, frozen=True, kw_only=True):
    """How much one type used at a scan."""

    share: str
    """One of model.report.SHARES; "total" for all of them; "disk" for everything on the main disk that was not free,
    including space reserved for root; for other disks "disk:" and the mount point."""
    base: SizeBase
    objects: int
    size_bytes: Bytes


class RunStart(Struct, frozen=True, kw_only=True):
    """A run before it removes anything."""

    engine: Engine
    verb: str
    started_at: Instant
    user: str
    """The user who runs it."""
    pid: int
    version: str
    """The version of dockersweep."""
    policy_source: str | None
    """What it carries out: a policy or a saved plan, for people."""
    policy_sha256: str | None


class ArchivedRow(OfObject, frozen=True, kw_only=True):
    """Where the archive of a removed object is."""

    name: str
    folder: str
    """The folder of the archive, absolute."""
    path: str
    """The folder of the run in it: "2026-12-01T093000Z-12"."""
    size_bytes: Bytes | None
    """What it takes there; None where it shares all of it."""
    archived_at: Instant
    until: Instant
    """Until when it is kept there."""


class PastArchive(Struct, frozen=True, kw_only=True):
    """Where a run has archived what it removed."""

    folder: str
    """The folder of the archive, absolute."""
    path: str
    """The folder of the run in it."""
    until: Instant
    deleted_by: int | None = None
    """The run that deleted it before its time, to make room; None where none did."""


class InHand(Struct, frozen=True, kw_only=True):
    """A removal that was sent, and has no recorded outcome."""

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
    """None where it did not end, or still runs."""
    state: Literal["ended", "running", "did-not-end"]
    """"running": it has no end, and its process exists. A process in another container cannot be seen."""
    exit_status: int | None
    user: str
    pid: int
    version: str
    policy_source: str | None
    policy_sha256: str | None
    note: str | None
    """Why it ended before it removed anything: refused, or not confirmed; or by how much it missed its space
    target, and why. Otherwise None."""
    ended_early: str | None
    """Why the rest was not attempted; None where all was."""
    removed: dict[Kind, int]
    """How many objects of each kind it removed."""
    tags_removed: int
    """How many tags it removed from images that stayed."""
    not_removed: dict[Status, int]
    """Any other status -> how many objects, and tags of images that stay, it has."""
    predicted: Interval
    """The prediction for those that were removed."""
    measured_bytes: Bytes | None
    """The measured freed bytes; None where that is not known."""
    in_hand: tuple[InHand, ...]
    """Removals that were sent and have no outcome, or not yet."""
    restored: dict[Kind, int] = {}
    """How many objects of each kind it made again, if it took removals back."""
    tags_restored: int = 0
    """How many tags it put back on images."""
    not_restored: dict[RestoreStatus, int] = {}
    """Any other status -> how many objects and tags it has."""

    @property
    def was_declined(self) -> bool:
        """Whether a person was asked and did not say yes."""
        return self.exit_status == 0 and self.note is not None

    @property
    def missed_its_target(self) -> bool:
        """Whether it removed what it could, and its space target was missed."""
        return self.verb != "restore" and self.exit_status == _SOME_FAILED and self.note is not None


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
    """All of it, including what it shared; None where it is not known, and for a tag."""
    predicted: Interval
    """The prediction of what it adds to those before it."""
    recognition: Recognition
    sent_at: Instant | None
    """When the request was sent; None where it was not."""
    ended_at: Instant | None
    """When its outcome was known; None where it is not, or only a later run settled it."""
    status: Status | None
    """None where there is no outcome yet."""
    detail: str | None
    """Why, for people; None where it was simply removed."""
    freed_bytes: Bytes | None
    """What was freed according to the engine's answer."""
    way_back: How | None = None
    """How it can be taken back, as far as can be told; None where it cannot, and where it was not removed."""
    lost_archive: str | None = None
    """The folder of the archive that it went into, where that alone would bring it back and has it no more; None
    otherwise."""
    is_lost: bool = False
    """Whether it was removed with data that nothing brings back; False where an older version removed it."""


class PastRestoration(OfObject, frozen=True, kw_only=True):
    """One object that a run of `restore` was to make again."""

    run: int
    started_at: Instant
    """When the run began."""
    engine_name: str | None
    name: str
    """As it was called when it was removed."""
    as_name: str
    """The name that it was to get."""
    action: RestoreAction
    of_run: int | None
    """The run that removed it; None where only the archive told of it."""
    status: RestoreStatus | None
    """None where it has none yet, or the run did not end."""
    detail: str | None
    """Why it was not restored, for people; None where it was."""
    new_id: str | None
    """Its id since; None where it was not made."""
    ended_at: Instant | None


class Life(Struct, frozen=True, kw_only=True):
    """An object from its first sight to its removal; if it comes back, a new life begins."""

    engine_name: str | None
    kind: Kind
    id: str
    names: tuple[str, ...]
    """Its names or tags when it was last seen, then earlier ones; empty from an older version."""
    first_seen_at: Instant
    first_seen_unused_at: Instant | None
    """Since when scans saw it unused; None where it is in use, or gone."""
    last_seen_at: Instant | None
    """When a scan last saw it."""
    is_there: bool
    """Whether it existed when the engine was last scanned."""


class History(Struct, frozen=True, kw_only=True):
    """What the ledger has recorded: the document dockersweep.history/1."""

    schema: Literal["dockersweep.history/1"]
    path: str
    """The file of the ledger, whether or not it exists."""
    runs: tuple[PastRun, ...]
    """The newest first; with an object, those that removed it or tried to."""
    removals: tuple[PastRemoval, ...] = ()
    """The removals of the selected run or object; the newest run first."""
    restorations: tuple[PastRestoration, ...] = ()
    """What the selected run made again, or what became of the selected object; the newest run first."""
    archive: PastArchive | None = None
    """Where the selected run has archived what it removed; None where it has archived nothing."""
    deleted_early: tuple[EarlyDeletion, ...] = ()
    """What the selected run deleted from its archive before its time, to make room."""
    lives: tuple[Life, ...] = ()
    """The lives of the selected object, the latest first."""
    problems: tuple[str, ...] | None = None
    """The problems that `history verify` found; None for other commands."""
