"""What compose files and quadlets declared when last read, so that unchanged ones are not read again."""

import sqlite3
from collections.abc import Mapping

KEPT_SECONDS = 90 * 86400
"""Readings older than this are dropped: their files are read again if a policy still names them."""


def declared_files(database: sqlite3.Connection) -> dict[str, bytes]:
    """Return the encoded reading of each place."""
    return dict(database.execute("SELECT place, told FROM declared_files"))


def keep_declared_files(database: sqlite3.Connection, readings: Mapping[str, bytes], now: int) -> None:
    """Keep readings (place -> encoded reading), and delete those older than KEPT_SECONDS."""
    rows = [(place, reading, now) for place, reading in readings.items()]
    database.executemany("INSERT OR REPLACE INTO declared_files (place, told, read_at) VALUES (?, ?, ?)", rows)
    database.execute("DELETE FROM declared_files WHERE read_at < ?", (now - KEPT_SECONDS,))
