"""What `restore` makes again: removed objects, the steps that lead to them, and what became of each.

The last is the document dockersweep.restoration/1.
"""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from dockersweep.model.archive import ArchivedObject
from dockersweep.model.inventory import Engine, Kind, OfObject, ScanWarning
from dockersweep.model.quantities import Instant
from dockersweep.model.recovery import How, RestoreAction, RestoreStatus

RESTORED_FROM = "dockersweep.restored-from"
"""The label of what `restore` has made: the run that removed it, as its first word; of a volume also a word that no
other volume has. An image that is what it was has none."""
RESTORED_IMAGES = "dockersweep-restored/"
"""How the names of images begin that have the writable layer of a container."""
LAYERED = f"its image is {RESTORED_IMAGES}"
"""How it begins that a container has such an image."""


class RemovedRow(OfObject, frozen=True, kw_only=True):
    """A removal that the ledger tells of."""

    run: int
    name: str
    action: RestoreAction
    removed_at: Instant
    tags: tuple[str, ...] = ()
    """The tags that an image had."""
    reference: str | None = None
    """The reference by digest under which a registry has an image; None where none is known to have it."""


class RunOfEngine(Struct, frozen=True, kw_only=True):
    """A run in the ledger, as far as `restore` has to know it."""

    is_of_engine: bool
    """Whether it was on the engine that is asked for."""
    engine_name: str | None
    endpoint: str | None
    verb: str
    build_cache_records: int
    """How many build-cache records it removed."""


class Document(Struct, frozen=True):
    """The engine's own document about an object, as it was before the removal."""

    content: Mapping[str, Any]


class Removed(OfObject, frozen=True, kw_only=True):
    """Something that a run removed, with all that it takes to make it again."""

    name: str
    action: RestoreAction
    run: int | None
    """The run that removed it; None where only the folder in the archive names it."""
    removed_at: Instant | None
    how: How
    """How it can be made again; "none" where it cannot."""
    why_not: str | None = None
    """Why it cannot, for people; None where it can."""
    tags: tuple[str, ...] = ()
    """The tags that an image had."""
    references: tuple[str, ...] = ()
    """References by digest under which a registry has an image."""
    archived: ArchivedObject | None = None
    folder: str | None = None
    """The folder of the run in the archive, absolute; None where the archive does not have it."""
    document: Document | None = None
    """None for images and volumes, and where nothing keeps it."""
    is_in_ledger: bool = True
    """False where the archive alone tells of it."""


class Present(Struct, frozen=True, kw_only=True):
    """What an engine has by now, as far as it stands in the way of what is made again, or is needed for it."""

    containers: Mapping[str, str]
    """Name -> id."""
    volumes: frozenset[str]
    networks: Mapping[str, str]
    """Name -> id."""
    subnets: Mapping[str, tuple[str, ...]]
    """Name of a network -> its subnets."""
    images: frozenset[str]
    """The ids of all images."""
    tags: Mapping[str, str]
    """Tag -> id of its image."""
    restored_from: Mapping[tuple[Kind, str], str] = {}
    """Kind and name of a container, volume or network that `restore` has made -> the run that had removed it, as
    `mark_of` has it."""


class Step(OfObject, frozen=True, kw_only=True):
    """One object to make again."""

    removed: Removed
    as_name: str
    """The name that it gets."""
    skip: str | None = None
    """Why it is not made, for people; None where it is."""
    is_there: bool = False
    """Whether it is not made because something of its name is there."""
    is_back: bool = False
    """Whether that is what is asked for: it never went, or was restored from that very run before."""
    told: tuple[str, ...] = ()
    """What will not be as it was, for people."""
    tags: tuple[str, ...] = ()
    """The tags to put on an image."""
    needed_by: str | None = None
    """The container for which it is made; None where somebody asked for it."""
    other_subnet: bool = False
    """Whether a network gets another subnet than it had."""
    after: tuple[int, ...] = ()
    """The places of the steps without which this one cannot be done."""


def mark_of(removed: Removed) -> str:
    """Return the first word of the label of what is made again: the run that had removed it, by its number, or by its
    folder in the archive."""
    if removed.run is not None:
        return str(removed.run)
    return "archive" if removed.folder is None else removed.folder.rpartition("/")[2]


class Restored(OfObject, frozen=True, kw_only=True):
    """What became of one object that was to be made again."""

    name: str
    """As it was called when it was removed."""
    as_name: str
    """As it is called now."""
    action: RestoreAction
    how: How
    run: int | None
    """The run that removed it; None where only its folder in the archive names it."""
    status: RestoreStatus
    detail: str | None
    """Why it was not restored, for people; None where it was."""
    is_there: bool = False
    """Whether it was not restored because something of its name is there."""
    is_back: bool = False
    """Whether that is what was asked for: it never went, or was restored from that very run before."""
    told: tuple[str, ...] = ()
    """What is not as it was, for people."""
    new_id: str | None = None
    """Its id now; None where it was not made."""
    needed_by: str | None = None
    """The container for which it was made; None where somebody asked for it."""


class Restoration(Struct, frozen=True, kw_only=True):
    """What `restore` did, or with --dry-run would do: the document dockersweep.restoration/1."""

    schema: Literal["dockersweep.restoration/1"]
    engine: Engine
    started_at: Instant
    finished_at: Instant
    asked_for: str
    """What was asked for: "run 12", "volume pg-old"."""
    run: int | None
    """Its number in the ledger, for `dockersweep history`; None without a ledger, and with --dry-run."""
    ended_early: str | None
    """Why the rest was not attempted; None where all was."""
    restored: tuple[Restored, ...]
    """In the order in which they are made: networks, volumes, images, tags, containers."""
    build_cache_records: int = 0
    """How many removed build-cache records are left out: the next builds make them again."""
    warnings: tuple[ScanWarning, ...] = ()
