"""Reads the events of an engine from where the last reading ended, and tells for which time they are all.

Docker keeps 256 events in memory, in one row without gaps, and loses them when it ends; Podman reads its journal or
file. Nothing tells of a restart, nor of what was pushed out. So the last event of the former reading is asked for once
more, without a filter: where it comes back, nothing after it is missing. Where it does not, nothing is missing since
the oldest that there is.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from dockersweep.engine.api.answers import EngineEvent
from dockersweep.engine.api.quirks import Quirks
from dockersweep.engine.reading.engine_process import engine_began
from dockersweep.errors import EngineError, EngineTooMuchError
from dockersweep.model.event_reading import EventMark, EventPosition
from dockersweep.model.inventory import Engine, ScanWarning
from dockersweep.model.last_use import Span

SLACK_NANOS = 2 * 10**9
"""So much before the last known event is asked for: Docker stops looking at the first that is too old, and two that
come at once may lie in its memory the other way round."""
FIRST_PODMAN_READING = timedelta(days=7)
"""How far back the first reading goes on Podman, whose journal may hold years."""
MUCH_IS_READ = timedelta(hours=1)
"""How far back it is read where all are too many, of health checks that are told every few seconds."""

DOCKER_RING = 256
"""How many events Docker keeps (daemon/events, eventsLimit)."""
NEVER_FULL = DOCKER_RING // 2
"""With fewer its memory was never full: what came after `until`, while the engine was asked, is in it and not told."""


class EventReads(Protocol):
    """The client of an engine, as far as its events are read."""

    engine: Engine
    clock: datetime | None

    @property
    def quirks(self) -> Quirks: ...
    def events(self, since_nanos: int, until: datetime) -> tuple[EngineEvent, ...]: ...
    def peer_pid(self) -> int | None: ...


class EventReading(NamedTuple):
    """The events, and what they are worth."""

    events: tuple[EngineEvent, ...] = ()
    position: EventPosition | None = None
    """Where the next reading goes on; None where nothing was read, and the former position holds."""
    watched: Span | None = None
    """The time of which these are all events."""
    warnings: tuple[ScanWarning, ...] = ()


class _Answer(NamedTuple):
    """What an engine still has."""

    events: tuple[EngineEvent, ...]
    begin: datetime | None
    """Since when none of them is missing."""
    anchor: int
    """The place of the last event of the reading before; behind all where it is not there."""


def read_events(reads: EventReads, last: EventPosition | None) -> EventReading:
    """Return what happened up to the time on the engine's clock, and no reading before has told;
    `last` is where that before ended. An engine, or a proxy, that refuses leaves a warning."""
    if (until := reads.clock) is None:
        return EventReading()
    if last is not None and last.ends_at > until:
        # The clock was set back: all that there is may be new, and what was told before is the same again.
        last = None
    try:
        try:
            return _read_since(last, until, reads)
        except EngineTooMuchError as error:
            # They would be more at each scan, and none would ever be read.
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
        ended = _nanos(last.ends_at)
        # What stands behind the last known one is new, though it may be told as a moment older.
        events = tuple(one for place, one in enumerate(events) if place > anchor or one.at_nanos > ended)
    return EventReading(events, position, watched)


def _read(reads: EventReads, last: EventPosition | None, until: datetime) -> _Answer:
    """Nothing is missing since the last reading where its last event is among them; else since the oldest that there
    is, or, where Docker's memory has never been full, since that engine began."""
    is_podman = reads.quirks.is_podman
    everything = _nanos(_podman_begin(last, until)) if is_podman else 0
    events: tuple[EngineEvent, ...] = ()
    if last is None or last.anchor is None:
        events = reads.events(everything, until)
    else:
        # Docker looks from the end up to the first that is too old: one of a clock that was set back hides the rest.
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
    """Return since when to read Podman's events where the last known one is not there."""
    begin = until - FIRST_PODMAN_READING
    return begin if last is None else max(begin, last.ends_at)


def _nanos(instant: datetime) -> int:
    return int(instant.timestamp() * 10**6) * 1000


def _mark(event: EngineEvent) -> EventMark:
    return EventMark(at_nanos=event.at_nanos, type=event.type, action=event.action, id=event.id)
