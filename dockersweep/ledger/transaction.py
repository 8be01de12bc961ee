"""Transactions of a connection that has none of its own accord."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def transaction(database: sqlite3.Connection, keeps: bool = True) -> Iterator[None]:
    """Do all of it or nothing; without `keeps` nothing, once it is done."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT" if keeps else "ROLLBACK")
    except BaseException:
        # Some errors, a full disk among them, have ended it already.
        with suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise
