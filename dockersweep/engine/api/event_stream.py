"""The events of an engine as they come, and what a watcher asks for besides: few runs need this."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import msgspec

from dockersweep.engine.api.decoding import decode
from dockersweep.engine.api.events import LONGEST_SECONDS, Events, WireEvent, event_of
from dockersweep.engine.api.lists import Lists
from dockersweep.engine.api.lookups import Lookups
from dockersweep.engine.api.streamed import StreamedAnswer
from dockersweep.errors import EngineError
from dockersweep.model.event_reading import EngineEvent

LARGEST_EVENT_BYTES = 16_000_000
"""An event has all labels of its object."""
_REFUSALS = (400, 401, 403, 404, 405, 501)
"""The statuses of a proxy, or an engine, that lets nobody have the events; others pass."""
READ_AGAIN_NANOS = 10**9
"""How long before the instant that is asked for the engine begins: its clock is only known in whole seconds."""


class EventsRefusedError(EngineError):
    """The engine answers, but it, or a proxy before it, lets nobody follow its events."""


class EventFilter(NamedTuple):
    """Which events are asked for."""

    types: Collection[str]
    actions: Collection[str]
    """"exec_start" stands for all that begin with it: each has its command behind a colon."""


class EventStream:
    """The events of an engine from one instant on."""

    def __init__(self, answer: StreamedAnswer, where: str) -> None:
        self._answer, self._where = answer, where
        self.unreadable = 0
        """How many lines were no events."""

    def batches(self) -> Iterator[list[EngineEvent]]:
        """Yield the events as they come, one or many at once, until the engine ends it. Raises EngineError."""
        rest = b""
        for piece in self._answer.pieces():
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > LARGEST_EVENT_BYTES:
                raise EngineError(f"{self._where} answered GET /events with a line that is no event")
            if events := list(self._events(lines)):
                yield events

    def interrupt(self) -> None:
        """Have `batches` end. Safe for another thread."""
        self._answer.interrupt()

    def _events(self, lines: list[bytes]) -> Iterator[EngineEvent]:
        for line in filter(None, map(bytes.strip, lines)):
            try:
                yield event_of(decode(line, WireEvent))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self.unreadable += 1


class WatchedEngine(Lists, Lookups, Events):
    """The calls of a watcher; none of them changes anything. Safe for several threads."""

    def read_clock(self) -> None:
        """Set `clock` to the engine's time now, in whole seconds and never ahead of it, as its answers are dated; where
        a proxy leaves that out, as `set_clock` does. Raises EngineError."""
        # The loop of a watcher waits for this.
        seconds = min(LONGEST_SECONDS, self._connection.timeout_seconds)
        header = self._request("GET", "/_ping", timeout_seconds=seconds).headers.get(b"date", b"")
        self.set_clock()
        with suppress(ValueError, OverflowError):
            self.clock = parsedate_to_datetime(header.decode("ascii")).astimezone(UTC)

    @contextmanager
    def following(self, since_nanos: int, wanted: EventFilter) -> Iterator[EventStream]:
        """Yield the events since an instant of the engine's clock, on a connection of their own.

        Podman does not filter them. Docker drops events for a reader that is 1,024 behind, without a word. Raises
        EngineError, and EventsRefusedError where it never gives them.
        """
        since = max(0, since_nanos - READ_AGAIN_NANOS)
        params = {"since": f"{since // 10**9}.{since % 10**9:09d}"}
        if self.quirks.is_podman:
            params["stream"] = "true"
        else:
            filters = {"type": sorted(wanted.types), "event": sorted(wanted.actions)}
            params["filters"] = msgspec.json.encode(filters).decode()
        with self._connection.stream("GET", f"{self._prefix}/events", params) as answer:
            if answer.status != 200:
                error = EventsRefusedError if answer.status in _REFUSALS else EngineError
                raise error(f"{self._where} answered GET /events with {answer.status}: {answer.message()}")
            answer.wait_forever()
            yield EventStream(answer, self._where)
