"""Follows the events of an engine in a thread of its own, which waits for nothing but the engine."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

from dockersweep.engine.api.event_stream import EventFilter, EventsRefusedError, EventStream, WatchedEngine
from dockersweep.engine.reading.event_inbox import EventInbox, tells
from dockersweep.engine.reading.held_lookups import HeldLookups
from dockersweep.engine.reading.stream_proof import StreamProof
from dockersweep.engine.reading.uses import TOLD
from dockersweep.errors import DockersweepError
from dockersweep.model.event_reading import EngineEvent
from dockersweep.model.inventory import Engine
from dockersweep.model.naming import engine_identity

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.25, 5.0
END_SECONDS = 5.0
STEADY_SECONDS = 30.0
"""How long a stream has to last for the next one to be asked for at once."""
SETTLED_SECONDS = 1.1
MANY_EVENTS = 1_000
"""So many wait for no clock."""
WANTED = EventFilter(TOLD, {action for actions in TOLD.values() for action in actions})
_ARRIVALS = {
    "image": frozenset(("pull", "load", "loadfromarchive", "import", "create", "build", "tag")),
    "container": frozenset(("commit",)),
}
"""What may need space, or belongs to a build: of one by BuildKit, Docker 28 tells the tag alone."""


def now_nanos() -> int:
    """Return the time by this machine's clock, which an engine on it has too."""
    return time.time_ns()


class Connected:
    """One stream of an engine's events, from its beginning to its end."""

    def __init__(self, client: WatchedEngine, stream: EventStream) -> None:
        self.client, self.stream = client, stream
        self.began_at = time.monotonic()
        client.read_clock()
        # The clock is known to the second, and the stream began within that one at the latest.
        self.begins_at = (client.clock or datetime.now(UTC)) + timedelta(seconds=1)
        """Since when every event comes, by the engine's clock."""
        self.lookups = HeldLookups(client) if client.quirks.is_podman else None
        self._proof = StreamProof(self.begins_at)
        self._is_provable = client.quirks.is_podman or client.engine.is_local

    @property
    def unbroken_since(self) -> datetime | None:
        """Since when no event of the stream can be missing; None where only the engine's own memory can prove that.
        Podman's readers read a file, at their own pace."""
        return self._proof.since() if self._is_provable else None

    @property
    def settles_in(self) -> float:
        """In how many seconds the one in which it began is over, so that a comparison and the stream meet."""
        return SETTLED_SECONDS - (time.monotonic() - self.began_at)

    def settle(self) -> None:
        """Wait for that."""
        time.sleep(max(0.0, self.settles_in))

    def begin_again(self, at: datetime) -> None:
        """Prove nothing about the time before an instant."""
        self.begins_at = at
        self._proof.begin_again(at, now_nanos())

    def count(self, events: list[EngineEvent]) -> None:
        """Note how late events come that came just now."""
        if not self.client.quirks.is_podman:
            self._proof.count(events, now_nanos())

    def look_at_running(self) -> None:
        """Have Podman's running containers looked at, which may be gone as soon as they end."""
        if self.lookups is not None:
            for container in self.client.podman_containers()[0]:
                if container.state == "running":
                    self.lookups.ask(container.id)

    def interrupt(self) -> None:
        """End the stream: it is dead, or no longer wanted."""
        self.stream.interrupt()


class EventFollower:
    """Connects, follows, and connects again. What it offers may be read by another thread at any time."""

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[WatchedEngine]],
        inbox: EventInbox,
        on_change: Callable[[], None],
    ) -> None:
        """`on_change` is called on each arrival of an image, and when the engine comes or goes."""
        self._connect, self._inbox, self._on_change = connect, inbox, on_change
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self.connected: Connected | None = None
        """None while the engine is away."""
        self.problem: str | None = None
        """Why it is away."""
        self.refused_by: Engine | None = None
        """The engine that answers, but lets nobody follow its events; None for none."""
        self.lost_at: float | None = None
        """Since when it is away, in seconds of the monotonic clock; None while it is there."""
        self.received = 0
        self.last_arrival: float | None = None

    def start(self) -> None:
        """Begin."""
        self.lost_at = time.monotonic()
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._ends.set()
        if (connected := self.connected) is not None:
            connected.interrupt()
        if self._thread.ident is not None:
            self._thread.join(END_SECONDS)

    def _run(self) -> None:
        wait = FIRST_WAIT_SECONDS
        while not self._ends.is_set():
            try:
                with self._connect() as client:
                    began = time.monotonic()
                    try:
                        self._follow(client)
                    finally:
                        # An engine that breaks off again and again is left in peace as one that is away.
                        wait = FIRST_WAIT_SECONDS if time.monotonic() - began >= STEADY_SECONDS else wait
                self.problem = "it ended the stream of its events"
            except EventsRefusedError as error:
                self.problem = str(error)
            except DockersweepError as error:
                self.problem, self.refused_by = str(error), None
            except Exception as error:
                # The watcher must neither end of it nor go on deaf.
                self.refused_by = None
                self.problem = f"its events cannot be followed: {type(error).__name__}: {error}"
            self._ends.wait(wait)
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)

    def _follow(self, client: WatchedEngine) -> None:
        client.read_clock()
        since = client.clock or datetime.now(UTC)
        with self._stream_of(client, since) as stream:
            connected = Connected(client, stream)
            try:
                self._inbox.begin(engine_identity(client.engine))
                self.problem, self.lost_at, self.connected, self.refused_by = None, None, connected, None
                self._on_change()
                connected.look_at_running()
                for events in stream.batches() if not self._ends.is_set() else ():
                    self._take(connected, events)
            finally:
                self.lost_at, self.connected = time.monotonic(), None
                if connected.lookups is not None:
                    connected.lookups.close()
                self._on_change()

    @contextmanager
    def _stream_of(self, client: WatchedEngine, since: datetime) -> Iterator[EventStream]:
        with ExitStack() as opened:
            try:
                stream = opened.enter_context(client.following(int(since.timestamp()) * 10**9, WANTED))
            except EventsRefusedError:
                self.refused_by = client.engine
                raise
            yield stream

    def _take(self, connected: Connected, events: list[EngineEvent]) -> None:
        connected.count(events)
        self.received += len(events)
        told = [event for event in events if tells(event)]
        if self._inbox.put(told, len(events)) >= MANY_EVENTS:
            self._on_change()
        if connected.lookups is not None:
            for event in told:
                if event.type == "container":
                    connected.lookups.ask(event.id)
        if any(event.action in _ARRIVALS.get(event.type, ()) for event in told):
            self.last_arrival = time.monotonic()
            self._on_change()
