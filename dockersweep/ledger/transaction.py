"""Explicit transactions for connections in autocommit mode."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def transaction(database: sqlite3.Connection, keeps: bool = True) -> Iterator[None]:
    """Commit at the end, roll back on an error; without `keeps` always roll back."""
    try:
        # A signal right after an earlier BEGIN leaves its transaction open.
        _end_what_is_open(database)
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("COMMIT" if keeps else "ROLLBACK")
    except BaseException:
        with suppress(sqlite3.Error):
            _end_what_is_open(database)
        raise


def _end_what_is_open(database: sqlite3.Connection) -> None:
    """Roll back an open transaction; some errors, such as a full disk, have ended it already."""
    if database.in_transaction:
        database.execute("ROLLBACK")
