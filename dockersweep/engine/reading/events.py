"""Reads the events of an engine since the last reading, and determines the time span for which they are complete.

Docker keeps the last 256 events in memory and loses them when it ends; Podman reads its journal or file. Neither
reports restarts or dropped events. So the last event of the previous reading is requested again, without a filter: if
it comes back, nothing after it is missing. Otherwise nothing is missing since the oldest event that comes.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from dockersweep.engine.api.quirks import Quirks
from dockersweep.engine.reading.engine_process import engine_began
from dockersweep.errors import EngineError, EngineTooMuchError
from dockersweep.model.event_reading import EngineEvent, EventMark, EventPosition
from dockersweep.model.inventory import Engine, ScanWarning
from dockersweep.model.last_use import Span

SLACK_NANOS = 2 * 10**9
"""How long before the last known event the request begins: Docker stops searching at the first event that is too old,
and simultaneous events may be in its memory in reverse order."""
FIRST_PODMAN_READING = timedelta(days=7)
"""How far back the first reading goes on Podman, whose journal may hold years."""
MUCH_IS_READ = timedelta(hours=1)
"""How far back to read if all events are too many, as with health checks every few seconds."""

DOCKER_RING = 256
"""How many events Docker keeps (daemon/events, eventsLimit)."""
NEVER_FULL = DOCKER_RING // 2
"""With fewer events its memory was never full. It also has events after `until`, which are not in the answer."""


class EventReads(Protocol):
    """The part of an engine's client that is used for events."""

    engine: Engine
    clock: datetime | None

    @property
    def quirks(self) -> Quirks: ...
    def events(self, since_nanos: int, until: datetime) -> tuple[EngineEvent, ...]: ...
    def peer_pid(self) -> int | None: ...


class EventReading(NamedTuple):
    """The events, and when they are complete."""

    events: tuple[EngineEvent, ...] = ()
    position: EventPosition | None = None
    """Where the next reading continues; None if nothing was read, and the previous position still applies."""
    watched: Span | None = None
    """The time span for which the events are complete."""
    warnings: tuple[ScanWarning, ...] = ()


class _Answer(NamedTuple):
    """The events that an engine still has."""

    events: tuple[EngineEvent, ...]
    begin: datetime | None
    """Since when none is missing."""
    anchor: int
    """The index of the last event of the previous reading; after all events if it is not among them."""


def read_events(reads: EventReads, last: EventPosition | None) -> EventReading:
    """Return the events up to now (by the engine's clock) that no previous reading has returned; `last` is where the
    previous one ended. If an engine or a proxy refuses, there is a warning."""
    if (until := reads.clock) is None:
        return EventReading()
    if last is not None and last.ends_at > until:
        # The clock was set back: any event may be new, and reading one twice does no harm.
        last = None
    try:
        try:
            return _read_since(last, until, reads)
        except EngineTooMuchError as error:
            # Otherwise there would be more at each scan, and none would ever be read.
            recent = EventPosition(ends_at=until - MUCH_IS_READ, anchor=None)
            text = "too many to be read: what was used between the last scan and an hour ago is not noticed"
            warning = ScanWarning(about="events", text=text, reason=str(error))
            return _read_since(recent, until, reads)._replace(warnings=(warning,))
    except EngineError as error:
        text = f"not read: {error}; what was used between two scans is not noticed"
        return EventReading(warnings=(ScanWarning(about="events", text=text, reason=str(error)),))


def _read_since(last: EventPosition | None, until: datetime, reads: EventReads) -> EventReading:
    events, begin, anchor = _read(reads, last, until)
    newest = max(events, key=lambda event: event.at_nanos, default=None)
    position = EventPosition(ends_at=until, anchor=None if newest is None else _mark(newest))
    watched = Span(begins_at=begin, ends_at=until) if begin is not None and begin < until else None
    if last is not None:
        ended = nanos_of(last.ends_at)
        # Events after the last known one are new, even if their time is slightly earlier.
        events = tuple(event for place, event in enumerate(events) if place > anchor or event.at_nanos > ended)
    return EventReading(events, position, watched)


def _read(reads: EventReads, last: EventPosition | None, until: datetime) -> _Answer:
    """Return the events since the last reading, or else all. They are complete since the last reading if its last event
    is among them; else since the oldest one or, if Docker's memory has never been full, since the engine started."""
    is_podman = reads.quirks.is_podman
    everything = nanos_of(_podman_begin(last, until)) if is_podman else 0
    events: tuple[EngineEvent, ...] = ()
    if last is None or last.anchor is None:
        events = reads.events(everything, until)
    else:
        # Docker searches backwards up to the first event that is too old: after the clock was set back, that one hides
        # the rest. Then all are requested.
        for since in (max(0, last.anchor.at_nanos - SLACK_NANOS), everything):
            events = reads.events(since, until)
            places = [place for place, event in enumerate(events) if _mark(event) == last.anchor]
            if places:
                return _Answer(events, last.ends_at, places[-1])
    oldest = min((event.at_nanos for event in events), default=None)
    # Spans are kept in whole seconds.
    begin = None if oldest is None else datetime.fromtimestamp(-(-oldest // 10**9), UTC)
    if not is_podman and len(events) < NEVER_FULL:
        begin = engine_began(reads.peer_pid(), reads.engine.socket) or begin
    return _Answer(events, begin, len(events))


def _podman_begin(last: EventPosition | None, until: datetime) -> datetime:
    """Return since when to read Podman's events if the last known one is not among them."""
    begin = until - FIRST_PODMAN_READING
    return begin if last is None else max(begin, last.ends_at)


def nanos_of(instant: datetime) -> int:
    """Return an instant as events have it: nanoseconds since 1970."""
    return int(instant.timestamp() * 10**6) * 1000


def _mark(event: EngineEvent) -> EventMark:
    return EventMark(at_nanos=event.at_nanos, type=event.type, action=event.action, id=event.id)
