"""Keeps the events of an engine in the ledger, as a watcher does: nothing else it holds grows with time."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from dockersweep.commands.options import EngineOptions
from dockersweep.commands.watching.boot_clock import now_seconds
from dockersweep.commands.watching.open_ledger import OpenLedger
from dockersweep.engine.api.connection import Connection
from dockersweep.engine.api.endpoint import resolve_endpoint
from dockersweep.engine.api.event_stream import WatchedEngine
from dockersweep.engine.reading import event_follower
from dockersweep.engine.reading.engine_process import engine_began
from dockersweep.engine.reading.event_coverage import CLOCK_TOLERANCE, Compared, Life, compared, joined, without
from dockersweep.engine.reading.event_follower import Connected, EventFollower
from dockersweep.engine.reading.event_inbox import EventInbox, Received, cut, folded, tells
from dockersweep.engine.reading.events import EventReading, read_events
from dockersweep.errors import EngineError
from dockersweep.model.event_reading import EngineEvent, EventMark, EventPosition, Held
from dockersweep.model.inventory import Engine
from dockersweep.model.naming import engine_identity
from dockersweep.model.watching import EventGap, EventState, GapCause

COMPARE_SECONDS = 60.0
SOONEST_SECONDS = 0.5
"""How soon after a comparison that failed, or of an engine that only its own memory can prove, there is another."""
COMPARE_AFTER_EVENTS = 128
"""After half of what Docker keeps the engine is asked, where the stream itself proves nothing."""
CATCH_UP_SECONDS = 2.0
"""How much later the stream may tell what the engine has: Podman's reader looks at its file four times a second."""
LAST_COMPARED = 500
"""How many of the last events are looked for in the stream."""
MANY_PENDING = 5_000
MANY_FAILURES = 5
"""An engine that ends fails one comparison, or a few."""
MOST_PARTS = 9
"""Of the span of a minute; with more, all of it between the first and the last is one."""


class Recorder:
    """Follows the events of one engine in a thread of its own, from `start` until `close`, whether or not the engine is
    there. All other methods are for one thread, the watcher's loop, and raise nothing."""

    def __init__(
        self,
        options: EngineOptions,
        on_arrival: Callable[[], None],
        connect: Callable[[], AbstractContextManager[WatchedEngine]] | None = None,
    ) -> None:
        """`on_arrival` wakes the loop, and must not wait: it is called from the other thread each time something came
        that may need space (`last_arrival`), each time many events came, and each time the engine went away or came
        back. `connect` is for tests."""
        self._options = options
        self._inbox = EventInbox()
        self._follower = EventFollower(connect or self._connecting, self._inbox, on_arrival)
        self._ledger = OpenLedger(options)
        self.engine: Engine | None = None
        """That of the last comparison; None before the first."""
        self.wants_folding = False
        """Whether so many events are pending that a scan should make uses of them."""
        self._compared: EventPosition | None = None
        self._compared_at = 0.0
        self._compared_on: Connected | None = None
        self._discarded: Connected | None = None
        """A connection whose events were written into a ledger that is gone."""
        self._tried_at = float("-inf")
        self._received_then = 0
        self._recorded = 0
        self._lives: list[Life] = []
        """Of containers of Podman that were gone before somebody could look."""
        self._gaps: list[EventGap] = []
        self._gap_count, self._gap_seconds = 0, 0.0
        self._failures = 0
        """How many comparisons in a row could not be made."""
        self._failure: str | None = None
        self._has_lost = False
        """Whether the inbox was too full since the last comparison."""

    @property
    def last_arrival(self) -> float | None:
        """When the last pull, load, import, build or commit came, in seconds of the monotonic clock; None for never."""
        return self._follower.last_arrival

    @property
    def engine_there(self) -> Engine | None:
        """The engine that answers now, whether or not it lets its events be followed; None while it is away."""
        connected = self._follower.connected
        return self._follower.refused_by if connected is None else connected.client.engine

    @property
    def engine_problem(self) -> str | None:
        """Why the engine cannot be reached, one sentence; None while it can."""
        return self._follower.problem

    @property
    def comparison_problem(self) -> str | None:
        """Why what came cannot be compared with what the engine keeps, one sentence, where that has failed again and
        again; None where it has not."""
        return self._failure if self._failures >= MANY_FAILURES else None

    @property
    def state(self) -> EventState:
        """What became of the events so far; for any thread."""
        complete_until = None if self._compared is None else self._compared.ends_at
        is_connected = self._follower.connected is not None
        open_seconds = 0.0 if is_connected or complete_until is None else now_seconds() - self._compared_at
        return EventState(
            is_connected=is_connected,
            disconnected_at=self._follower.lost_at,
            refusal=None if self._follower.refused_by is None else self._follower.problem,
            received=self._follower.received,
            recorded=self._recorded,
            gaps=self._gap_count,
            gap_seconds=self._gap_seconds + open_seconds,
            complete_until=complete_until,
            ledger_problem=self._ledger.problem,
        )

    def start(self) -> None:
        """Connect to the engine as soon as it answers, and follow its events."""
        self._follower.start()

    def record(self) -> None:
        """Write the events that came since into the ledger; once a minute, and once the engine is there again, do what
        `flush` does. To be called about once a second."""
        connected = self._usable_connection()
        if connected is not None and self._is_due(connected):
            self.flush()
            return
        self._write_received(may_move=connected is not None and connected is self._compared_on)

    def flush(self) -> bool:
        """Record everything received, and compare it with what the engine still has. Return whether that was possible;
        if not, `state` and `engine_problem` say why."""
        self._tried_at = now_seconds()
        connected = self._usable_connection()
        if connected is not None:
            connected.settle()
        if connected is None:
            self._write_received(may_move=False)
            return False
        try:
            is_kept = self._compare(connected)
            self._failures, self._failure = 0, None
            return is_kept
        except EngineError as error:
            self._failures, self._failure = self._failures + 1, str(error)
            # Where the engine does not answer, its stream may be dead too.
            connected.interrupt()
            self._write_received(may_move=False)
            return False

    def _usable_connection(self) -> Connected | None:
        """Return the connection to compare on; None while the engine is away. Where another ledger has taken the place
        of the one that was written, that has nothing of what came: then all begins anew, on another connection."""
        connected = self._follower.connected
        if self._ledger.was_replaced():
            self._compared = self._compared_on = None
            self._inbox.forget_marks()
            self._discarded = connected
            if connected is not None:
                connected.interrupt()
        return None if connected is self._discarded else connected

    def take_gaps(self) -> tuple[EventGap, ...]:
        """Return the gaps found since the last call, each once."""
        gaps, self._gaps = tuple(self._gaps), []
        return gaps

    def close(self) -> None:
        """Record what came, and end the thread."""
        if self._follower.connected is not None:
            self.flush()
        self._follower.close()
        self._write_received(may_move=False)
        self._ledger.close()

    @contextmanager
    def _connecting(self) -> Iterator[WatchedEngine]:
        options = self._options
        endpoint = resolve_endpoint(options.host, options.context, os.environ, options.tls)
        first = options.connect_timeout_seconds
        with closing(Connection(endpoint, options.engine_timeout_seconds, False, first)) as connection:
            yield WatchedEngine(connection, removal_seconds=0)

    def _is_due(self, connected: Connected) -> bool:
        passed = now_seconds() - self._tried_at
        if passed < SOONEST_SECONDS:
            return False
        is_unproven = connected.unbroken_since is None
        has_many = is_unproven and self._follower.received - self._received_then >= COMPARE_AFTER_EVENTS
        is_new = connected is not self._compared_on and connected.settles_in <= 0
        return is_new or has_many or passed >= COMPARE_SECONDS

    def _compare(self, connected: Connected) -> bool:
        client = connected.client
        client.read_clock()
        self._meet(client.engine)
        last, is_own = self._last()
        began, received_then = now_seconds(), self._follower.received
        reading = read_events(client, last)
        if reading.position is None:
            raise EngineError("; ".join(warning.reason or warning.text for warning in reading.warnings))
        until = reading.position.ends_at
        fresh, is_whole = self._fresh(reading, connected)
        received = self._inbox.take()
        if received.of != self._identity:
            self._inbox.put_back(received)
            raise EngineError("another engine answers")
        self._has_lost = self._has_lost or received.lost > 0
        if self._has_lost:
            fresh, is_whole = [event for event in reading.events if tells(event)], False
        fresh = self._fresh_with_held(connected, fresh, until)
        events = folded(self._with_held(received, connected, is_last=True).events, map(cut, fresh))
        passed = timedelta(seconds=began - self._compared_at) if is_own else None
        unbroken = connected.unbroken_since if is_whole else None
        watched = None if reading.watched is None else reading.watched.begins_at
        why = self._cause(connected, last, is_own)
        proof = compared(last, until, (watched, unbroken), passed, why)
        if not self._keep(received._replace(events=events), reading.position, proof, until):
            return False
        self._compared, self._compared_at = reading.position, began
        self._compared_on, self._received_then = connected, received_then
        if connected.begins_at > until + CLOCK_TOLERANCE or _is_of_clock(proof):
            connected.begin_again(until)
        elif unbroken is None:
            # What is missing may have happened up to now, and the clock is known to the second.
            connected.begin_again(until + timedelta(seconds=now_seconds() - began + 2))
        if not is_whole and not self._has_lost:
            # It may be dead, and its end not have come.
            connected.interrupt()
        self._has_lost = False
        return True

    def _meet(self, engine: Engine) -> None:
        """Begin anew where another engine answers now."""
        if self.engine is not None and engine_identity(engine) != engine_identity(self.engine):
            self._compared = self._compared_on = None
            self._lives.clear()
        self.engine = engine

    @property
    def _identity(self) -> str | None:
        return None if self.engine is None else engine_identity(self.engine)

    def _last(self) -> tuple[EventPosition | None, bool]:
        """Return where the last comparison ended, and whether it was this watcher's."""
        if self._compared is not None or self.engine is None:
            return self._compared, self._compared is not None
        engine = self.engine
        return self._ledger.do(lambda ledger: ledger.event_position(engine), None), False

    def _fresh(self, reading: EventReading, connected: Connected) -> tuple[list[EngineEvent], bool]:
        """Return the events that the stream did not tell, and whether it told all that it should have."""
        told = [event for event in reading.events if tells(event)]
        begin = int(connected.begins_at.timestamp()) * 10**9
        expected = [event for event in told[-LAST_COMPARED:] if event.at_nanos >= begin]
        deadline = time.monotonic() + CATCH_UP_SECONDS
        while (missing := self._inbox.missing(expected)) and time.monotonic() < deadline:
            time.sleep(0.02)
        is_whole = not missing and not connected.stream.unreadable
        return self._inbox.missing(told), is_whole

    def _cause(self, connected: Connected, last: EventPosition | None, is_own: bool) -> GapCause:
        if not is_own:
            return "not watched"
        if connected is self._compared_on:
            return "too many events"
        client = connected.client
        began = engine_began(client.peer_pid(), client.engine.socket)
        has_restarted = began is not None and last is not None and began > last.ends_at
        return "engine restarted" if has_restarted else "connection lost"

    def _fresh_with_held(self, connected: Connected, fresh: list[EngineEvent], until: datetime) -> list[EngineEvent]:
        """Return events that no stream told, those of Podman's containers with what these hold: they may be gone before
        a scan looks. Note the lives of those that nobody can look at any more."""
        lookups, times = connected.lookups, dict[str, list[int]]()
        if lookups is None:
            return fresh
        for event in fresh:
            if event.type == "container":
                times.setdefault(event.id, []).append(event.at_nanos)
        if times:
            for container in connected.client.podman_containers()[0]:
                if container.id in times:
                    lookups.ask(container.id)
            lookups.wait(CATCH_UP_SECONDS)
        held = {of: answer for of in times if isinstance(answer := lookups.answer(of), Held)}
        self._note_lives(
            (_instant(min(at)), min(until, _instant(max(at)) + timedelta(seconds=1)))
            for of, at in times.items()
            if of not in held
        )
        return [event._replace(held=held.get(event.id)) for event in fresh]

    def _note_lives(self, lives: Iterable[Life]) -> None:
        """Note lives of containers that nobody could look at."""
        self._lives = joined((*self._lives, *lives))

    def _with_held(self, received: Received, connected: Connected | None, is_last: bool) -> Received:
        """Return the events with what Podman's containers held; unless `is_last`, those that are still being looked at
        go back to the inbox."""
        if self.engine is None or self.engine.flavour != "podman":
            return received
        lookups = None if connected is None else connected.lookups
        if is_last and lookups is not None:
            lookups.wait(CATCH_UP_SECONDS)
        gone_by = _instant(event_follower.now_nanos()) + timedelta(seconds=1)
        events, waiting, lives = {}, {}, []
        for key, event in received.events.items():
            if event.type != "container" or event.held is not None:
                events[key] = event
                continue
            answer = "gone" if lookups is None else lookups.answer(event.id)
            if isinstance(answer, Held):
                events[key] = event._replace(held=answer)
            elif answer == "waiting" and not is_last:
                waiting[key] = event
            else:
                events[key] = event
                lives.append((_instant(event.at_nanos), gone_by))
        self._note_lives(lives)
        if waiting:
            self._inbox.put_back(Received(waiting, None, 0, 0, received.of))
        return received._replace(events=events)

    def _keep(self, received: Received, position: EventPosition, proof: Compared, until: datetime) -> bool:
        """Write down what a comparison proves; return False where the ledger cannot be written."""
        assert self.engine is not None
        engine, lives = self.engine, self._lives
        spans = [] if proof.span is None else without(proof.span, lives)
        if len(spans) > MOST_PARTS:
            inner = (spans[1].begins_at, spans[-1].begins_at)
            spans = without(replace(spans[0], ends_at=spans[-1].ends_at), [inner])
        pending = self._ledger.do(
            lambda ledger: ledger.record_events(engine, received.events.values(), position, spans, until), None
        )
        if pending is None:
            self._inbox.put_back(received)
            return False
        self._lives = []
        self._recorded += received.total
        self.wants_folding = pending >= MANY_PENDING
        if proof.gap is not None:
            self._gap_count += 1
            self._gap_seconds += (proof.gap.ends_at - proof.gap.begins_at).total_seconds()
            self._gaps.append(proof.gap)
        return True

    def _write_received(self, may_move: bool) -> None:
        """Write down the events that came. `may_move` is whether the engine was asked for those before the stream, so
        that a scan need not ask for these again."""
        taken = self._inbox.take()
        if (engine := self.engine) is None or taken.of != self._identity:
            # A comparison meets the engine that they are of.
            self._inbox.put_back(taken)
            return
        received = self._with_held(taken, self._follower.connected, is_last=False)
        self._has_lost = self._has_lost or received.lost > 0
        if not received.events and not self.wants_folding:
            self._recorded += received.total
            return
        position = _position_at(received.newest) if may_move and received.newest is not None else None
        pending = self._ledger.do(lambda ledger: ledger.record_events(engine, received.events.values(), position), None)
        if pending is None:
            self._inbox.put_back(received)
            return
        self._recorded += received.total
        self.wants_folding = pending >= MANY_PENDING


def _is_of_clock(proof: Compared) -> bool:
    return proof.gap is not None and proof.gap.why == "clock changed"


def _position_at(newest: EventMark) -> EventPosition:
    return EventPosition(ends_at=datetime.fromtimestamp(newest.at_nanos // 1000 / 10**6, UTC), anchor=newest)


def _instant(nanos: int) -> datetime:
    """Spans are kept in whole seconds."""
    return datetime.fromtimestamp(nanos // 10**9, UTC)
