"""Events between the thread that receives them and the one that records them: folded, cut to what is needed of them,
and never more than a fixed number."""

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from dockersweep.engine.api.lists import ARCHIVING_LABEL
from dockersweep.engine.reading.uses import TOLD
from dockersweep.model.compose_labels import USER_LABELS
from dockersweep.model.event_reading import EngineEvent, EventMark

MOST_EVENTS = 16_384
"""Of different keys: some ten megabytes. They wait while the ledger cannot be written."""
MOST_MARKS = 1_024
"""More than an engine keeps, to compare with that."""
LONGEST_TEXT = 1_000
LONGEST_ACTION = 200
"""An exec's action has its command."""
_NEEDED = frozenset(("name", "image", "imageID", "container", "network", ARCHIVING_LABEL, *USER_LABELS))

Key = tuple[str, str, str, str]


class Received(NamedTuple):
    """What was received since the last call."""

    events: Mapping[Key, EngineEvent]
    newest: EventMark | None
    """The last of them, also where there was no room for it."""
    total: int
    """How many came, with those that tell nothing."""
    lost: int
    """How many of them there was no room for."""
    of: str | None
    """Whose they are, as told to `begin`."""


def tells(event: EngineEvent) -> bool:
    """Return whether an event has to be recorded."""
    return event.action.partition(":")[0] in TOLD.get(event.type, ())


def cut(event: EngineEvent) -> EngineEvent:
    """Return an event with what is needed of it."""
    attributes = {name: value[:LONGEST_TEXT] for name, value in event.attributes.items() if value and name in _NEEDED}
    return event._replace(action=event.action[:LONGEST_ACTION], id=event.id[:LONGEST_TEXT], attributes=attributes)


def folded(events: Mapping[Key, EngineEvent], more: Iterable[EngineEvent]) -> dict[Key, EngineEvent]:
    """Return all events, those with the same key as one."""
    all_of_them = dict(events)
    for event in more:
        known = all_of_them.get(event.key)
        all_of_them[event.key] = event if known is None else merged(known, event)
    return all_of_them


def merged(first: EngineEvent, second: EngineEvent) -> EngineEvent:
    """Return two events with the same key as one: the later of both."""
    later = second if second.at_nanos >= first.at_nanos else first
    return later._replace(times=first.times + second.times, held=later.held or first.held or second.held)


def mark_of(event: EngineEvent) -> EventMark:
    """Return the identity of an event."""
    return EventMark(at_nanos=event.at_nanos, type=event.type, action=event.action, id=event.id)


class EventInbox:
    """Takes events from one thread, and hands them to another. Neither waits for the other."""

    def __init__(self, most: int = MOST_EVENTS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._events: dict[Key, EngineEvent] = {}
        self._newest: EventMark | None = None
        self._total = self._lost = 0
        self._marks: deque[EventMark] = deque(maxlen=MOST_MARKS)
        self._of: str | None = None

    def begin(self, of: str) -> None:
        """Take the events of an engine, named by its identity, from now on; forget those of another one."""
        with self._lock:
            if of != self._of:
                self._forget()
                self._marks.clear()
                self._of = of

    def put(self, events: Iterable[EngineEvent], total: int) -> int:
        """Add events that tell something, in the order of the engine; `total` is how many came with them. Return how
        many of different keys wait."""
        with self._lock:
            self._total += total
            for event in events:
                self._newest = mark_of(event)
                if self._add(cut(event)):
                    self._marks.append(self._newest)
            return len(self._events)

    def take(self) -> Received:
        """Return what came since the last call, and forget it."""
        with self._lock:
            received = Received(self._events, self._newest, self._total, self._lost, self._of)
            self._forget()
            return received

    def _forget(self) -> None:
        self._events, self._newest, self._total, self._lost = {}, None, 0, 0

    def put_back(self, received: Received) -> None:
        """Take back what could not be recorded, unless another engine's events come by now."""
        with self._lock:
            if received.of != self._of:
                return
            since, self._events = self._events, dict(received.events)
            fit = [self._add(event) for event in since.values()]
            if not all(fit):
                # Some that came are lost: which is not known any more.
                self._marks.clear()
            self._newest = self._newest or received.newest
            self._total += received.total
            self._lost += received.lost

    def forget_marks(self) -> None:
        """Take all that came for missing: it is not known any more what became of it."""
        with self._lock:
            self._marks.clear()

    def missing(self, events: Iterable[EngineEvent]) -> list[EngineEvent]:
        """Return those of the engine's last events that were not among the last that came."""
        with self._lock:
            known = set(self._marks)
        return [event for event in events if mark_of(event) not in known]

    def _add(self, event: EngineEvent) -> bool:
        """Return whether there was room for it."""
        known = self._events.get(event.key)
        if known is None and len(self._events) >= self._most:
            self._lost += event.times
            return False
        self._events[event.key] = event if known is None else merged(known, event)
        return True
