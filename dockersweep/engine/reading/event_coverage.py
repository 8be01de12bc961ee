"""For which time an engine's events are complete, from what a watcher received and what the engine still has. Pure."""

import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from dockersweep.model.event_reading import EngineEvent, EventPosition
from dockersweep.model.last_use import Span
from dockersweep.model.watching import EventGap, GapCause

LAG_NANOS = 80 * 10**6
LONGEST_LAGGING_RUN = 900
"""Docker drops an event once its channel of 1,024 has been full for 100 ms: so all 1,024 come at least that late."""
QUIET_NANOS = 10**9
CLOCK_TOLERANCE = timedelta(seconds=10)
"""How much more of an engine's clock may pass than of time: its instants are known to the second."""


class StreamProof:
    """Since when no event of a stream can be missing. Safe for several threads.

    Only an engine with the clock of this machine tells how late its events come.
    """

    def __init__(self, begins_at: datetime) -> None:
        """Nothing after `begins_at` was sent before the stream began."""
        self._lock = threading.Lock()
        self._begins_at = begins_at
        self._run = 0
        self._is_doubtful = False
        self._counted_nanos = 0

    def since(self) -> datetime | None:
        """Return since when; None while that is in doubt."""
        with self._lock:
            return None if self._is_doubtful else self._begins_at

    def count(self, events: Iterable[EngineEvent], now_nanos: int) -> None:
        """Count events that came just now, in the engine's order."""
        with self._lock:
            self._counted_nanos = now_nanos
            for event in events:
                lag = now_nanos - event.at_nanos
                # One from the future is of another clock.
                self._run = self._run + 1 if lag >= LAG_NANOS or lag < 0 else 0
                if self._run > LONGEST_LAGGING_RUN:
                    self._is_doubtful = True
                elif self._run == 0 and self._is_doubtful:
                    # What was dropped came before this one.
                    self._is_doubtful = False
                    self._begins_at = max(self._begins_at, _next_second(event.at_nanos))

    def begin_again(self, at: datetime, now_nanos: int) -> None:
        """Prove nothing for the time before `at`; a doubt ends once nothing has come for a while."""
        with self._lock:
            has_jumped = self._begins_at > at + CLOCK_TOLERANCE
            self._begins_at = at if has_jumped else max(self._begins_at, at)
            if abs(now_nanos - self._counted_nanos) > QUIET_NANOS:
                self._is_doubtful, self._run = False, 0


def _next_second(nanos: int) -> datetime:
    """Return the first whole second after an event: spans are kept in whole seconds."""
    return datetime.fromtimestamp(nanos // 10**9 + 1, UTC)


class Compared(NamedTuple):
    """What a comparison proves."""

    span: Span | None
    """For which time every event is known."""
    gap: EventGap | None


def compared(
    last: EventPosition | None,
    until: datetime,
    proven: Iterable[datetime | None],
    passed: timedelta | None,
    why: GapCause,
) -> Compared:
    """Return what is proven since the last comparison.

    `proven` are instants since which every event up to `until` is known, by what the engine has or by the stream;
    `passed` is how much time went by since the last comparison, None where that was another process's; `why` is what a
    gap would come from.
    """
    if last is not None and passed is not None and until - last.ends_at > passed + CLOCK_TOLERANCE:
        # Time that never was is no time without uses.
        return Compared(None, EventGap(begins_at=last.ends_at, ends_at=until, why="clock changed"))
    begin = min((instant for instant in proven if instant is not None and instant <= until), default=until)
    if last is None or begin <= last.ends_at:
        # What was before is written down already, and better known: see `without`.
        begin = begin if last is None else min(last.ends_at, until)
        return Compared(_span(begin, until), None)
    return Compared(_span(begin, until), EventGap(begins_at=last.ends_at, ends_at=begin, why=why))


def _span(begin: datetime, end: datetime) -> Span | None:
    return Span(begins_at=begin, ends_at=end) if begin < end else None


Life = tuple[datetime, datetime]
"""From when to when there was a container of which nobody knows what it held."""
MOST_LIVES = 100


def joined(lives: Iterable[Life]) -> list[Life]:
    """Return the same time in as few lives as possible; where these are too many, the last ones as one."""
    parts: list[Life] = []
    for born, died in sorted(lives):
        if parts and (born <= parts[-1][1] or len(parts) == MOST_LIVES):
            born, died = parts[-1][0], max(died, parts.pop()[1])
        parts.append((born, died))
    return parts


def without(span: Span, lives: Iterable[Life]) -> list[Span]:
    """Return a span in parts: uses of volumes and networks are not known of for the time of these lives."""
    parts, begin = [], span.begins_at
    for born, died in sorted(lives):
        ends, begins = min(max(died, begin), span.ends_at), min(max(born, begin), span.ends_at)
        if begins > begin:
            parts.append(Span(begins_at=begin, ends_at=begins))
        if ends > begins:
            parts.append(Span(begins_at=begins, ends_at=ends, of_held=False))
        begin = max(begin, ends)
    return [*parts, Span(begins_at=begin, ends_at=span.ends_at)] if begin < span.ends_at else parts
