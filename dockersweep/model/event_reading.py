"""Uses from the events of an engine, and the position up to which they were read: recorded in the ledger."""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct

from dockersweep.model.inventory import ObjectRef
from dockersweep.model.last_use import PastUse, Span
from dockersweep.model.quantities import Instant


class Held(NamedTuple):
    """What a container holds, by name."""

    volumes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()


class EngineEvent(NamedTuple):
    """Something that happened on an engine, once or several times."""

    at_nanos: int
    """Since 1970, by the engine's clock; of several times the last."""
    type: str
    """"container", "image", "volume", "network" and others."""
    action: str
    id: str
    """Podman leaves it out for volumes."""
    attributes: Mapping[str, str]
    """For a container: its name, its image as the user wrote it, and its labels."""
    times: int = 1
    held: Held | None = None
    """What the container held, where a watcher has looked; None where that is not known from the event."""

    @property
    def other(self) -> str:
        """What an event is about besides its id: the container of a volume or a network, the tag that an image got;
        with Podman the network of a container, and the name of a volume, which has no id."""
        if not self.id or (self.type == "image" and self.action == "tag"):
            return self.attributes.get("name", "")
        return self.attributes.get("container") or self.attributes.get("network", "")

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Of events with the same key only the last tells more than the others. A name that went to one image, to
        another and back to the first has a later use of the first to show for it."""
        return self.type, self.id, self.action, self.other


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

    position: EventPosition | None
    """None where the engine told no events."""
    watched: Span | None
    """The time of which every use is known; None where there is none."""
    uses: Mapping[ObjectRef, tuple[PastUse, ...]]
    """Object -> a few uses, the latest first."""
    pending: tuple[EngineEvent, ...] = ()
    """The events among those that a watcher had put into the ledger: they need not stay there."""
