"""The spans of time in which a use would have been noticed, merged where they meet and limited in number."""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from dockersweep.ledger.rows import instant, seconds
from dockersweep.model.last_use import Span

MOST_SPANS = 1_000
"""A reading every five minutes, from an engine that keeps events for less than that, makes this many in four days."""

_Row = tuple[int, int, bool]
"""Begin and end of a span, in seconds since 1970, and whether it covers volumes and networks too."""


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
    """Cut all spans of an engine at `now`. Otherwise, after its clock ran ahead and was set back, the time until it
    catches up would count as watched. (Ages and uses from then stay: which clock was wrong is not known, and ages that
    count from a slow clock would be too old once it is set right.)"""
    database.execute("DELETE FROM watched WHERE engine = ? AND begins >= ?", (engine, now))
    database.execute("UPDATE watched SET ends = ? WHERE engine = ? AND ends > ?", (now, engine, now))


def _rows(database: sqlite3.Connection, engine: int) -> list[_Row]:
    rows = database.execute("SELECT begins, ends, of_held FROM watched WHERE engine = ? ORDER BY begins", (engine,))
    return [(begin, end, bool(of_held)) for begin, end, of_held in rows.fetchall()]


def _joined(rows: Iterable[_Row]) -> list[_Row]:
    """Merge adjoining spans of one sort; where two overlap, the one that covers volumes and networks wins."""
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
    """Drop the shortest spans over the limit: less watched time only keeps objects longer."""
    if len(rows) <= MOST_SPANS:
        return rows
    longest = sorted(rows, key=lambda row: row[1] - row[0])[len(rows) - MOST_SPANS :]
    return sorted(longest)
