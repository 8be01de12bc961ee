"""The size of each share at earlier scans: one point an hour for a week, then one a day for a year."""

import sqlite3
from collections.abc import Collection

from dockersweep.ledger.rows import bytes_or_none, instant
from dockersweep.model.history import ShareSize
from dockersweep.model.report import TrendPoint
from dockersweep.model.storage import SizeBase
from dockersweep.units import DAY, HOUR, WEEK

YEAR = 365 * DAY
_PLACE = "engine = ? AND share = ? AND base = ?"


def keep_sizes(database: sqlite3.Connection, engine: int, sizes: Collection[ShareSize], at: int) -> None:
    """Record one point, replacing earlier ones of its hour, and thin out older ones."""
    hour = at - at % HOUR
    for size in sizes:
        place = (engine, size.share, size.base)
        database.execute(f"DELETE FROM sizes WHERE {_PLACE} AND at >= ? AND at < ?", (*place, hour, hour + HOUR))
        database.execute("INSERT INTO sizes VALUES (?, ?, ?, ?, ?, ?)", (*place, at, size.objects, size.size_bytes))
        database.execute(f"DELETE FROM sizes WHERE {_PLACE} AND at < ?", (*place, at - YEAR))
        of_days = f"SELECT max(at) FROM sizes WHERE {_PLACE} AND at < ? GROUP BY at / {DAY}"
        old = (*place, at - WEEK)
        database.execute(f"DELETE FROM sizes WHERE {_PLACE} AND at < ? AND at NOT IN ({of_days})", (*old, *old))


def points_of(database: sqlite3.Connection, engine: int, base: SizeBase) -> tuple[TrendPoint, ...]:
    """Return the sizes of an engine that were counted in this base, and those of its disks, the oldest first."""
    rows = database.execute(
        "SELECT at, share, size_bytes FROM sizes "
        "WHERE engine = ? AND (base = ? OR share = 'disk' OR share GLOB 'disk:*')",
        (engine, base),
    )
    points: dict[int, dict[str, int | None]] = {}
    for at, share, size in rows.fetchall():
        points.setdefault(at, {})[share] = bytes_or_none(size)
    return tuple(TrendPoint(at=instant(at), sizes=points[at]) for at in sorted(points))
