"""Uses from the events of an engine, and the position up to which they were read: recorded in the ledger."""

from collections.abc import Mapping

from msgspec import Struct

from dockersweep.model.inventory import ObjectRef
from dockersweep.model.last_use import PastUse, Span
from dockersweep.model.quantities import Instant


class EventMark(Struct, frozen=True, kw_only=True, gc=False):
    """The identity of one event: if it is returned again, no later one was lost."""

    at_nanos: int
    """On the engine's clock, since 1970."""
    type: str
    action: str
    id: str


class EventPosition(Struct, frozen=True, kw_only=True, gc=False):
    """The position up to which the events of an engine were read."""

    ends_at: Instant
    anchor: EventMark | None
    """The last event before that; None where there was none."""


class NoticedUses(Struct, frozen=True, kw_only=True):
    """The result of one reading."""

    position: EventPosition
    watched: Span | None
    """The time of which every use is known; None where there is none."""
    uses: Mapping[ObjectRef, tuple[PastUse, ...]]
    """Object -> a few uses, the latest first."""
