"""The spans of time in which a use would have been noticed: together where they meet, and not too many of them."""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from dockersweep.ledger.rows import instant, seconds
from dockersweep.model.last_use import Span

MOST_SPANS = 1_000
"""A reading every five minutes on an engine that forgets within one makes so many in four days."""

_Row = tuple[int, int, bool]
"""Begin and end of a span, in seconds since 1970, and whether it is also of volumes and networks."""


def spans_of(database: sqlite3.Connection, engine: int) -> tuple[Span, ...]:
    """Return the spans of an engine, the earliest first."""
    return tuple(
        Span(begins_at=instant(begin), ends_at=instant(end), of_held=of_held)
        for begin, end, of_held in _rows(database, engine)
    )


def add_span(database: sqlite3.Connection, engine: int, span: Span) -> None:
    """Add a span; it may overlap with others."""
    known = _rows(database, engine)
    rows = _fewer(_joined((*known, (seconds(span.begins_at), seconds(span.ends_at), span.of_held))))
    before, after = set(known), set(rows)
    gone = [(engine, begin) for begin, _, _ in before - after]
    database.executemany("DELETE FROM watched WHERE engine = ? AND begins = ?", gone)
    database.executemany("INSERT INTO watched VALUES (?, ?, ?, ?)", [(engine, *row) for row in after - before])


def cut_spans(database: sqlite3.Connection, engine: int, now: int) -> None:
    """Let no span of an engine last longer than until now: where its clock was ahead and is set back, all time until
    then would count as watched. (What was seen or used then stays as it is: which clock was wrong is not known, and
    what counted from a clock that is behind would be old when that is set right.)"""
    database.execute("DELETE FROM watched WHERE engine = ? AND begins >= ?", (engine, now))
    database.execute("UPDATE watched SET ends = ? WHERE engine = ? AND ends > ?", (now, engine, now))


def _rows(database: sqlite3.Connection, engine: int) -> list[_Row]:
    found = database.execute("SELECT begins, ends, of_held FROM watched WHERE engine = ? ORDER BY begins", (engine,))
    return [(begin, end, bool(of_held)) for begin, end, of_held in found.fetchall()]


def _joined(rows: Iterable[_Row]) -> list[_Row]:
    """Join what meets and is alike; of time that is in two, more is known from the one that is of all."""
    joined: list[_Row] = []
    steps = Counter[tuple[int, bool]]()
    for begin, end, of_held in rows:
        steps[begin, of_held] += 1
        steps[end, of_held] -= 1
    of_all = of_some = 0
    at = sorted({instant for instant, _ in steps})
    for begin, end in pairwise(at):
        of_all += steps[begin, True]
        of_some += steps[begin, False]
        if of_all or of_some:
            row = (begin, end, of_all > 0)
            meets = bool(joined) and joined[-1][1] == begin and joined[-1][2] == row[2]
            joined[-1:] = [(joined[-1][0], end, row[2])] if meets else [*joined[-1:], row]
    return joined


def _fewer(rows: list[_Row]) -> list[_Row]:
    """Leave out the shortest where there are too many: what was not watched only keeps things longer."""
    if len(rows) <= MOST_SPANS:
        return rows
    longest = sorted(rows, key=lambda row: row[1] - row[0])[len(rows) - MOST_SPANS :]
    return sorted(longest)
