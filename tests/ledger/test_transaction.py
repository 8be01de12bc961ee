"""A transaction of the ledger is all of it or nothing, wherever a signal breaks it off."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from dockersweep.ledger.transaction import transaction


class BrokenOff(sqlite3.Connection):
    """A connection on which a signal comes just as a statement has been carried out."""

    behind: str | None = None

    def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
        cursor = super().execute(sql, *parameters)  # type: ignore[arg-type]
        if sql == self.behind:
            self.behind = None
            raise KeyboardInterrupt
        return cursor


@pytest.fixture
def database() -> Iterator[BrokenOff]:
    """A database with a table of its own."""
    with closing(sqlite3.connect(":memory:", isolation_level=None, factory=BrokenOff)) as opened:
        opened.execute("CREATE TABLE kept (what TEXT)")
        yield opened


def add(database: sqlite3.Connection, what: str) -> None:
    with transaction(database):
        database.execute("INSERT INTO kept VALUES (?)", (what,))


def kept(database: sqlite3.Connection) -> list[str]:
    return [what for (what,) in database.execute("SELECT what FROM kept ORDER BY what")]


@pytest.mark.parametrize(("behind", "is_there"), [("BEGIN IMMEDIATE", False), ("COMMIT", True)])
def test_what_is_broken_off_is_done_or_not_and_the_next_goes_on(
    database: BrokenOff, behind: str, is_there: bool
) -> None:
    database.behind = behind
    with pytest.raises(KeyboardInterrupt):
        add(database, "broken off")
    assert not database.in_transaction
    add(database, "next")
    assert kept(database) == (["broken off", "next"] if is_there else ["next"])


def test_what_was_left_open_is_undone(database: BrokenOff) -> None:
    database.execute("BEGIN IMMEDIATE")
    database.execute("INSERT INTO kept VALUES ('left open')")
    add(database, "next")
    assert kept(database) == ["next"]
