"""What was read of compose files and quadlets, so that unchanged ones are not read again."""

import sqlite3
from collections.abc import Mapping

KEPT_SECONDS = 90 * 86400
"""So long what was read is kept: then its files are read anew, and of files that no policy names nothing stays."""


def declared_files(database: sqlite3.Connection) -> dict[str, bytes]:
    """Return what is kept, by what was read."""
    return dict(database.execute("SELECT place, told FROM declared_files"))


def keep_declared_files(database: sqlite3.Connection, told: Mapping[str, bytes], now: int) -> None:
    """Keep what was read, and forget what was read long ago."""
    rows = [(place, one, now) for place, one in told.items()]
    database.executemany("INSERT OR REPLACE INTO declared_files (place, told, read_at) VALUES (?, ?, ?)", rows)
    database.execute("DELETE FROM declared_files WHERE read_at < ?", (now - KEPT_SECONDS,))
