"""Checks that the ledger file is intact and its rows do not contradict each other."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import get_args

from dockersweep.errors import LedgerError
from dockersweep.ledger.folder import FILE_NAME
from dockersweep.ledger.opening import FAULTS, UnusableError, check_tables, check_version, open_to_read, words_of
from dockersweep.ledger.schema import FIRST_WITH_RESTORATIONS, FIRST_WITH_RUNS, VERSION, version_of
from dockersweep.model.inventory import KINDS
from dockersweep.model.outcome import Status
from dockersweep.model.recovery import RestoreStatus

MOST_OF_A_KIND = 10

_STATUSES = ", ".join(f"'{status}'" for status in get_args(Status))
_RESTORE_STATUSES = ", ".join(f"'{status}'" for status in get_args(RestoreStatus))
_KINDS = ", ".join(f"'{kind}'" for kind in KINDS)

# Message, formatted with each row that the query returns -> query.
_CONTRADICTIONS = {
    "run {} ended, and its removal {} has no outcome": """
        SELECT run, position FROM removals JOIN runs ON number = run LEFT JOIN outcomes USING (run, position)
        WHERE state <> 'open' AND status IS NULL""",
    'run {} has the outcome "{}", which there is not': f"""
        SELECT DISTINCT run, status FROM outcomes WHERE status NOT IN ({_STATUSES})""",
    'run {} is "{}", which no run can be': """
        SELECT number, state FROM runs WHERE state NOT IN ('open', 'ended', 'did not end')""",
    "run {} ended and has no exit status": """
        SELECT number FROM runs WHERE state = 'ended' AND exit_status IS NULL""",
    "run {} has removals, and nothing tells of the run itself": """
        SELECT DISTINCT run FROM removals WHERE run NOT IN (SELECT number FROM runs)""",
    "run {} has an outcome of its removal {}, which was not planned": """
        SELECT run, position FROM outcomes LEFT JOIN removals USING (run, position) WHERE kind IS NULL""",
    "run {} is of no engine": """
        SELECT number FROM runs WHERE engine NOT IN (SELECT number FROM engines)""",
    "{} {} is of a kind that there is not": f"""
        SELECT kind, id FROM removals WHERE kind NOT IN ({_KINDS})
        UNION SELECT kind, id FROM objects WHERE kind NOT IN ({_KINDS})
        UNION SELECT kind, id FROM former_objects WHERE kind NOT IN ({_KINDS})""",
    "{} {} was last seen before it was first seen": """
        SELECT kind, id FROM former_objects WHERE last_seen < first_seen""",
}


_OF_RESTORATIONS = {
    'run {} has a restoration with the status "{}", which there is not': f"""
        SELECT DISTINCT run, status FROM restorations WHERE status NOT IN ({_RESTORE_STATUSES})""",
    "run {} ended, and its restoration {} has no status": """
        SELECT run, position FROM restorations JOIN runs ON number = run WHERE state = 'ended' AND status IS NULL""",
    "run {} has restorations, archives or definitions, and nothing tells of the run itself": """
        SELECT DISTINCT run FROM (SELECT run FROM restorations UNION SELECT run FROM archived
        UNION SELECT run FROM definitions) WHERE run NOT IN (SELECT number FROM runs)""",
}


def find_problems(folder: Path) -> tuple[str, ...] | None:
    """Return what is wrong with the file, a sentence each; None where there is no ledger.

    Raises LedgerError where it cannot be read at all.
    """
    try:
        database = open_to_read(folder)
        if database is None:
            return None
        with closing(database):
            return tuple(_problems(database))
    except OSError as error:
        raise LedgerError(f"{folder / FILE_NAME} {words_of(error)}") from None
    except FAULTS as error:
        return (f"{folder / FILE_NAME} {words_of(error)}",)


def _problems(database: sqlite3.Connection) -> Iterator[str]:
    broken = [text for (text,) in database.execute("PRAGMA integrity_check(10)") if text != "ok"]
    if broken:
        yield from (f"the file is damaged: {text.strip()}" for text in broken)
        return
    version = version_of(database)
    try:
        check_version(version)
        if version == VERSION:
            check_tables(database)
    except UnusableError as error:
        yield f"the file {error}"
        return
    if version >= FIRST_WITH_RUNS:
        of_version = _OF_RESTORATIONS if version >= FIRST_WITH_RESTORATIONS else {}
        for sentence, question in (_CONTRADICTIONS | of_version).items():
            rows = database.execute(question).fetchmany(MOST_OF_A_KIND)
            yield from (sentence.format(*row) for row in rows)
