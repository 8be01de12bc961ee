"""Transactions of a connection that has none of its own accord."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def transaction(database: sqlite3.Connection, keeps: bool = True) -> Iterator[None]:
    """Do all of it or nothing; without `keeps` nothing, once it is done."""
    try:
        # A signal that broke off just as the last one began has left that open.
        _end_what_is_open(database)
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("COMMIT" if keeps else "ROLLBACK")
    except BaseException:
        with suppress(sqlite3.Error):
            _end_what_is_open(database)
        raise


def _end_what_is_open(database: sqlite3.Connection) -> None:
    """Some errors, a full disk among them, have ended it already."""
    if database.in_transaction:
        database.execute("ROLLBACK")
