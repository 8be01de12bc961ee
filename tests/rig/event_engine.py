"""An engine that has events and nothing else, with Docker's bounds: it keeps the last 256, drops those of a reader that
is 1,024 behind, and tells neither. Its clock can be set, its streams stalled, and it can be gone."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import cast

from msgspec.structs import replace

from dockersweep.engine.api.event_stream import EventFilter, WatchedEngine
from dockersweep.engine.api.quirks import Quirks
from dockersweep.engine.reading.events import DOCKER_RING
from dockersweep.errors import EngineLostError
from dockersweep.model.event_reading import EngineEvent
from dockersweep.model.inventory import Container, Engine
from tests.rig.inventories import ENGINE

CHANNEL = 1_024
FULL_SECONDS = 0.1
"""How long Docker waits for room before it drops an event (daemon/events; moby/pubsub)."""


class EventEngine:
    """One engine, for the code under test as a client."""

    def __init__(self, is_podman: bool = False) -> None:
        self.engine: Engine = replace(ENGINE, flavour="podman") if is_podman else ENGINE
        self.quirks = Quirks(api=(1, 51), version="28.5.2", is_podman=is_podman)
        self.ahead_seconds = 0.0
        """By how much its clock, and that of the machine, was set forward."""
        self.containers: dict[str, Container] = {}
        self.is_there = True
        self.refuses = False
        self.dropped = 0
        self._lock = threading.Lock()
        self._all: list[EngineEvent] = []
        self._kept: deque[EngineEvent] = deque(maxlen=None if is_podman else DOCKER_RING)
        self._streams: list[_Stream] = []

    def now_nanos(self) -> int:
        """Return the time by its clock."""
        return time.time_ns() + int(self.ahead_seconds * 10**9)

    def happens(self, action: str, of: str, kind: str = "volume", **attributes: str) -> EngineEvent:
        """Have something happen, and return the event."""
        with self._lock:
            event = EngineEvent(self.now_nanos(), kind, action, of, attributes)
            self._kept.append(event)
            self._all.append(event)
            for stream in self._streams:
                self.dropped += not stream.offer(event)
        return event

    def everything(self) -> tuple[EngineEvent, ...]:
        """Return all that ever happened."""
        return tuple(self._all)

    def is_read(self) -> bool:
        """Return whether all of its streams have brought what happened."""
        return not any(stream.waiting for stream in self._streams)

    def stall(self) -> None:
        """Have its streams bring nothing, as where their reader is stopped."""
        for stream in self._streams:
            stream.is_stalled = True

    def go_on(self) -> None:
        """End what `stall` began."""
        for stream in self._streams:
            stream.is_stalled = False

    def break_off(self) -> None:
        """End its streams."""
        for stream in list(self._streams):
            stream.interrupt()

    def forget(self) -> None:
        """Lose what it keeps, as at its end."""
        with self._lock:
            self._kept.clear()
        self.break_off()

    def client(self) -> "AbstractContextManager[WatchedEngine]":
        """Connect to it."""

        @contextmanager
        def connecting() -> Iterator[WatchedEngine]:
            if not self.is_there:
                raise EngineLostError("there is no such engine")
            yield cast("WatchedEngine", _Client(self))

        return connecting()

    def events(self, since_nanos: int, until: datetime) -> tuple[EngineEvent, ...]:
        """Look from the end, and stop at the first event that is too old, as Docker does."""
        if self.refuses or not self.is_there:
            raise EngineLostError("GET /events: refused")
        told: list[EngineEvent] = []
        with self._lock:
            for event in reversed(self._kept):
                if event.at_nanos < since_nanos:
                    break
                if event.at_nanos <= until.timestamp() * 10**9:
                    told.append(event)
        return tuple(reversed(told))

    @contextmanager
    def following(self, since_nanos: int) -> Iterator["_Stream"]:
        """Yield a stream that begins with what it keeps."""
        with self._lock:
            stream = _Stream(
                [event for event in self._kept if event.at_nanos >= since_nanos], not self.quirks.is_podman
            )
            self._streams.append(stream)
        try:
            yield stream
        finally:
            self._streams.remove(stream)


class _Stream:
    def __init__(self, first: list[EngineEvent], drops: bool) -> None:
        self.waiting = deque(first)
        self._drops = drops
        self._changes = threading.Condition()
        self._is_over = False
        self._full_since: float | None = None
        self.is_stalled = False
        self.unreadable = 0

    def offer(self, event: EngineEvent) -> bool:
        with self._changes:
            has_room = not self._drops or len(self.waiting) < CHANNEL
            if not has_room and self._full_since is None:
                self._full_since = time.monotonic()
            deadline = (self._full_since or 0.0) + FULL_SECONDS
            while not has_room and (left := deadline - time.monotonic()) > 0:
                self._changes.wait(left)
                has_room = len(self.waiting) < CHANNEL
            if has_room:
                self._full_since = None
                self.waiting.append(event)
            self._changes.notify_all()
        return has_room

    def batches(self) -> Iterator[list[EngineEvent]]:
        while not self._is_over:
            with self._changes:
                if self.is_stalled or not self.waiting:
                    self._changes.wait(0.005)
                    continue
                events = [self.waiting.popleft() for _ in range(min(200, len(self.waiting)))]
                self._changes.notify_all()
            yield events

    def interrupt(self) -> None:
        with self._changes:
            self._is_over = True
            self._changes.notify_all()


class _Client:
    def __init__(self, engine: EventEngine) -> None:
        self._engine = engine
        self.engine, self.quirks = engine.engine, engine.quirks
        self.clock: datetime | None = None

    def read_clock(self) -> None:
        if not self._engine.is_there:
            raise EngineLostError("there is no such engine")
        self.clock = datetime.fromtimestamp(self._engine.now_nanos() // 10**9, UTC)

    def events(self, since_nanos: int, until: datetime) -> tuple[EngineEvent, ...]:
        return self._engine.events(since_nanos, until)

    def peer_pid(self) -> int | None:
        return None

    def following(self, since_nanos: int, wanted: EventFilter) -> "AbstractContextManager[_Stream]":
        return self._engine.following(since_nanos)

    def container(self, container_id: str) -> Container | None:
        return self._engine.containers.get(container_id)

    def podman_containers(self) -> tuple[tuple[Container, ...], tuple[()]]:
        return tuple(self._engine.containers.values()), ()


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for a condition; fails where it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, condition
        time.sleep(0.005)
