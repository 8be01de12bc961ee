"""What a watcher writes down: events, until a scan makes uses of them, and for which time all of them are known."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime

from dockersweep.ledger.rows import seconds, storable
from dockersweep.ledger.uses import encode_told, move_position
from dockersweep.ledger.watched import add_span, cut_spans
from dockersweep.model.event_reading import EngineEvent, EventPosition
from dockersweep.model.last_use import Span

_LATEST_NANOS = 2**63 - 1
_HELD = b'"held":'
"""How an event tells what its container held: no text within it has these bytes. Another watcher, or a later look, may
not have found the container any more, which must not hide what it held."""


def record_events(
    database: sqlite3.Connection,
    engine: int,
    events: Iterable[EngineEvent],
    position: EventPosition | None,
    spans: Iterable[Span],
    now: datetime | None,
) -> int:
    """Add events to the pending ones, move the position on, and add spans; return how many events are pending.

    `now` is the engine's clock where it is known to be right: what was watched after that is forgotten.
    """
    database.executemany(
        "INSERT INTO pending_events VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (engine, type, id, action, other) DO UPDATE SET times = times + excluded.times, "
        "told = CASE WHEN (instr(excluded.told, ?) > 0, excluded.at_nanos) >= (instr(told, ?) > 0, at_nanos) "
        "THEN excluded.told ELSE told END, at_nanos = max(at_nanos, excluded.at_nanos)",
        [(engine, *_row(event), _HELD, _HELD) for event in events],
    )
    if now is not None:
        cut_spans(database, engine, seconds(now) + 1)
    if position is not None:
        move_position(database, engine, position, None if now is None else seconds(now))
    for span in spans:
        add_span(database, engine, span)
    return count_pending(database, engine)


def _row(event: EngineEvent) -> tuple[str | int | bytes, ...]:
    return (*map(storable, event.key), min(event.at_nanos, _LATEST_NANOS), event.times, encode_told(event))


def count_pending(database: sqlite3.Connection, engine: int) -> int:
    """Return how many events wait for a scan."""
    count: int = database.execute("SELECT count(*) FROM pending_events WHERE engine = ?", (engine,)).fetchone()[0]
    return count
