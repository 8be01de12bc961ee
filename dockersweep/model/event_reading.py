"""What the events of an engine told of uses, from one reading to the next: the ledger keeps it."""

from collections.abc import Mapping

from msgspec import Struct

from dockersweep.model.inventory import ObjectRef
from dockersweep.model.last_use import PastUse, Span
from dockersweep.model.quantities import Instant


class EventMark(Struct, frozen=True, kw_only=True, gc=False):
    """One event, as it can be known again: it coming back proves that no later one was lost."""

    at_nanos: int
    """On the engine's clock, since 1970."""
    type: str
    action: str
    id: str


class EventPosition(Struct, frozen=True, kw_only=True, gc=False):
    """Where the events of an engine were read to."""

    ends_at: Instant
    anchor: EventMark | None
    """The last event before that; None where there was none."""


class NoticedUses(Struct, frozen=True, kw_only=True):
    """What one reading told."""

    position: EventPosition
    watched: Span | None
    """The time of which it told every use; None where that is none at all."""
    uses: Mapping[ObjectRef, tuple[PastUse, ...]]
    """By object, the latest first; a few of each."""
