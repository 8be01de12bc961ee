"""Reads the ledger for `history`. Nothing here writes, and no ledger is created where there is none."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from msgspec import MsgspecError
from msgspec.structs import replace

from dockersweep.errors import LedgerError, UsageError
from dockersweep.ledger.archived import archive_of, deleted_by
from dockersweep.ledger.folder import FILE_NAME
from dockersweep.ledger.opening import FAULTS, check_tables, check_version, open_to_read, words_of
from dockersweep.ledger.past_objects import find_past
from dockersweep.ledger.past_restorations import all_restorations, has_restorations, restorations_of
from dockersweep.ledger.past_runs import removals_at, removals_of, runs_between
from dockersweep.ledger.schema import FIRST_WITH_RUNS, VERSION, version_of
from dockersweep.model.history import History, PastRestoration
from dockersweep.model.lookup import Named, meant_by
from dockersweep.words.lists import both

MOST_NUMBERS = 10
LAST_NUMBER = 2**63 - 1

Value = TypeVar("Value")


def read_runs(folder: Path, since: datetime | None) -> History:
    """Return all runs that began at or after `since`, without their removals; raises LedgerError."""
    runs = _read(folder, lambda database: runs_between(database, 0, LAST_NUMBER, since))
    return replace(_empty(folder), runs=runs or ())


def read_run(folder: Path, number: int) -> History:
    """Return one run with all its removals; an empty history where there is no ledger.

    Raises UsageError where there is no such run, saying which runs there are; and LedgerError.
    """

    def read(database: sqlite3.Connection) -> History:
        runs = runs_between(database, number, number, None)
        if not runs:
            raise UsageError(f"there is no run {number}: {_which_runs(database)}")
        history = replace(
            _empty(folder),
            runs=runs,
            removals=removals_of(database, number),
            restorations=restorations_of(database, number),
        )
        if not has_restorations(database):
            return history
        return replace(history, archive=archive_of(database, number), deleted_early=deleted_by(database, number))

    return _read(folder, read) or _empty(folder)


def read_object(folder: Path, text: str, since: datetime | None) -> History:
    """Return what became of the objects that a text names, since `since`; an empty history where there is no ledger.

    Raises UsageError where it names none; and LedgerError.
    """

    def read(database: sqlite3.Connection) -> History:
        past, made = find_past(database, text, since), restorations_at(database, text, since)
        if past is None and not made:
            raise UsageError(f'nothing in the ledger was ever called "{text}", and no id begins so')
        lives, spots = past or ((), [])
        removals = removals_at(database, spots, since)
        numbers = sorted({*(removal.run for removal in removals), *(one.run for one in made)}, reverse=True)
        of_number = {run.number: run for run in runs_between(database, 0, LAST_NUMBER, since)} if numbers else {}
        runs = tuple(of_number[number] for number in numbers)
        return replace(_empty(folder), runs=runs, removals=removals, restorations=made, lives=lives)

    return _read(folder, read) or _empty(folder)


def read_archive_folders(folder: Path) -> tuple[str, ...]:
    """Return the folders of all archives that runs have put something into, whatever became of them; raises
    LedgerError."""

    def read(database: sqlite3.Connection) -> tuple[str, ...]:
        if not has_restorations(database):
            return ()
        return tuple(path for (path,) in database.execute("SELECT DISTINCT folder FROM archived ORDER BY folder"))

    return _read(folder, read) or ()


def restorations_at(database: sqlite3.Connection, text: str, since: datetime | None) -> tuple[PastRestoration, ...]:
    """Return the restorations of the objects that a text names, by their former or new names and ids, of runs that
    began at or after `since`; the newest run first."""
    known = [
        Named(one, one.kind, object_id, (name,))
        for one in all_restorations(database)
        for object_id, name in {(one.id, one.name), (one.new_id or one.id, one.as_name)}
    ]
    meant = dict.fromkeys(named.what for named in meant_by(text, known))
    return tuple(one for one in meant if since is None or one.started_at >= since)


def _empty(folder: Path) -> History:
    return History(schema="dockersweep.history/1", path=str(folder / FILE_NAME), runs=())


def _read(folder: Path, read: Callable[[sqlite3.Connection], Value]) -> Value | None:
    """Return what `read` returns; None where there is no ledger, or only one too old to have runs."""
    try:
        database = open_to_read(folder)
        if database is None:
            return None
        with closing(database):
            version = version_of(database)
            check_version(version)
            if version < FIRST_WITH_RUNS:
                return None
            # Only a run migrates an older file; the tables that are read here have not changed since.
            if version == VERSION:
                check_tables(database)
            return read(database)
    except MsgspecError as error:
        raise LedgerError(f"{folder / FILE_NAME} is damaged (a row does not hold: {error})") from None
    except FAULTS as error:
        raise LedgerError(f"{folder / FILE_NAME} {words_of(error)}") from None


def _which_runs(database: sqlite3.Connection) -> str:
    numbers = [number for (number,) in database.execute("SELECT number FROM runs ORDER BY number")]
    if not numbers:
        return "the ledger has no runs yet"
    if len(numbers) == 1:
        return f"the ledger has only run {numbers[0]}"
    if len(numbers) > MOST_NUMBERS:
        return f"the ledger has runs from {numbers[0]} to {numbers[-1]}"
    return f"the ledger has runs {both(map(str, numbers))}"
