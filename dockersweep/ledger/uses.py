"""The last uses of present objects, and how far the events that reported them were read."""

import sqlite3
from collections.abc import Collection, Iterable, Mapping

import msgspec

from dockersweep.ledger.opening import UnusableError
from dockersweep.ledger.rows import instant
from dockersweep.model.event_reading import EngineEvent, EventPosition, Held
from dockersweep.model.inventory import ObjectRef
from dockersweep.model.last_use import PastUse, last_of


def position_of(database: sqlite3.Connection, engine: int) -> EventPosition | None:
    """Return how far the events of an engine were last read; None where they never were."""
    row = database.execute("SELECT position FROM event_readings WHERE engine = ?", (engine,)).fetchone()
    if row is None:
        return None
    try:
        return msgspec.json.decode(row[0], type=EventPosition)
    except msgspec.MsgspecError as error:
        raise UnusableError(f"is damaged (it does not tell where events were read to: {error})") from None


def move_position(database: sqlite3.Connection, engine: int, position: EventPosition, now: int | None) -> None:
    """Record how far the events of an engine were read, unless another process has read further meanwhile.

    `now` is the engine's clock in seconds; None where it was not read.
    """
    known = position_of(database, engine)
    # One in the future is from before the clock was set back.
    if known is not None and position.ends_at < known.ends_at and (now is None or known.ends_at <= instant(now + 1)):
        return
    text = msgspec.json.encode(position).decode()
    database.execute("INSERT OR REPLACE INTO event_readings VALUES (?, ?)", (engine, text))


_Row = tuple[int, str, str, str, int]


class _Told(msgspec.Struct, omit_defaults=True):
    """What a pending event has besides what its row is found by."""

    attributes: dict[str, str] = {}
    held: Held | None = None


def encode_told(event: EngineEvent) -> bytes:
    """Return what `pending_of` reads."""
    return msgspec.json.encode(_Told(dict(event.attributes), event.held))


def pending_of(database: sqlite3.Connection, engine: int) -> tuple[EngineEvent, ...]:
    """Return the events that a watcher recorded and of which no uses were made yet."""
    rows = database.execute(
        "SELECT at_nanos, type, action, id, times, told FROM pending_events WHERE engine = ?", (engine,)
    ).fetchall()
    decode = msgspec.json.Decoder(_Told).decode
    try:
        told = [(msgspec.convert(row[:5], _Row), decode(row[5])) for row in rows]
    except msgspec.MsgspecError as error:
        raise UnusableError(f"is damaged (it does not tell what happened: {error})") from None
    return tuple(
        EngineEvent(at, kind, action, object_id, known.attributes, times, known.held)
        for (at, kind, action, object_id, times), known in told
    )


def drop_pending(database: sqlite3.Connection, engine: int, events: Iterable[EngineEvent]) -> None:
    """Delete events of which uses were made, unless they happened again meanwhile."""
    database.executemany(
        "DELETE FROM pending_events WHERE engine = ? AND type = ? AND id = ? AND action = ? AND other = ? "
        "AND at_nanos = ?",
        [(engine, *event.key, event.at_nanos) for event in events],
    )


def uses_of(database: sqlite3.Connection, engine: int) -> dict[ObjectRef, tuple[PastUse, ...]]:
    """Return the last uses of each object of an engine, the latest first."""
    rows = database.execute("SELECT kind, id, told FROM uses WHERE engine = ?", (engine,)).fetchall()
    decode = msgspec.json.Decoder(tuple[PastUse, ...]).decode
    try:
        return {ObjectRef(kind=kind, id=object_id): decode(uses) for kind, object_id, uses in rows}
    except msgspec.MsgspecError as error:
        raise UnusableError(f"is damaged (it does not tell what was used: {error})") from None


def update_uses(
    database: sqlite3.Connection,
    engine: int,
    noticed: Mapping[ObjectRef, tuple[PastUse, ...]],
    there: Collection[ObjectRef],
) -> dict[ObjectRef, tuple[PastUse, ...]]:
    """Add the noticed uses of present objects, keep the last few of each object, and return all that are kept."""
    known = uses_of(database, engine)
    changed = {}
    for ref, uses in noticed.items():
        kept = last_of((*uses, *known.get(ref, ())))
        if ref in there and kept != known.get(ref):
            known[ref] = changed[ref] = kept
    encode = msgspec.json.Encoder().encode
    rows = [(engine, ref.kind, ref.id, encode(uses)) for ref, uses in changed.items()]
    database.executemany("INSERT OR REPLACE INTO uses VALUES (?, ?, ?, ?)", rows)
    return known
