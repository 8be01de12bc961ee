"""The past events of an engine: `GET /events` between two past instants."""

from datetime import datetime
from typing import Annotated

import msgspec

from dockersweep.engine.api.decoding import decode_lines
from dockersweep.engine.api.session import Session
from dockersweep.errors import EngineError
from dockersweep.model.event_reading import EngineEvent

LARGEST_EVENTS_BYTES = 64_000_000
"""Docker keeps 256 events; Podman's journal may hold those of months."""

LONGEST_SECONDS = 20.0
"""The time limit: a scan can do without events."""


class _WireActor(msgspec.Struct, rename="pascal"):
    id: str = msgspec.field(default="", name="ID")
    attributes: dict[str, str] | None = None


class WireEvent(msgspec.Struct, rename="pascal"):
    """A line of GET /events."""

    type: str = ""
    action: str = ""
    actor: _WireActor | None = None
    time_nano: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = msgspec.field(default=0, name="timeNano")


class Events(Session):
    """The events of an engine."""

    def peer_pid(self) -> int | None:
        """Return the pid of the process that listens at the endpoint, if it is on this machine."""
        return self._connection.peer_pid()

    def events(self, since_nanos: int, until: datetime) -> tuple[EngineEvent, ...]:
        """Return all events from `since_nanos` (since 1970, by the engine's clock) up to `until`, in the engine's
        order.

        `until` must be past for the engine, or it would wait for it. Podman stops reading its file as soon as `until`
        is past, wherever it is in the file (tried on 5.8 and 6.1: two of a hundred events came), so it is asked for all
        events, without following. Raises EngineError: a proxy may refuse the call.
        """
        params = {"since": f"{since_nanos // 10**9}.{since_nanos % 10**9:09d}"}
        params |= {"stream": "false"} if self.quirks.is_podman else {"until": f"{until.timestamp():.6f}"}
        seconds = min(LONGEST_SECONDS, self._connection.timeout_seconds)
        answer = self._request("GET", "/events", LARGEST_EVENTS_BYTES, params=params, timeout_seconds=seconds)
        if answer.status != 200:
            raise EngineError(f"{self._where} answered GET /events with {answer.status}: {answer.message()}")
        try:
            lines = decode_lines(answer.body, WireEvent)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise EngineError(
                f"{self._where} answered GET /events with something else than was asked: {error}"
            ) from error
        last = int(until.timestamp() * 10**6) * 1000
        return tuple(event_of(line) for line in lines if line.time_nano <= last)


def event_of(line: WireEvent) -> EngineEvent:
    """Return the event of a line."""
    actor = line.actor or _WireActor()
    return EngineEvent(line.time_nano, line.type, line.action, actor.id, actor.attributes or {})
