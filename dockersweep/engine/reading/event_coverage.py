"""For which time an engine's events are complete, from what a watcher received and what the engine still has. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from dockersweep.model.event_reading import EventPosition
from dockersweep.model.last_use import Span
from dockersweep.model.watching import EventGap, GapCause

CLOCK_TOLERANCE = timedelta(seconds=10)
"""How much more of an engine's clock may pass than of time: its instants are known to the second."""


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
