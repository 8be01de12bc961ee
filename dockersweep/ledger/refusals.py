"""What an engine refused to remove, in how many runs in a row, and with which message."""

import re
import sqlite3
import time
from collections.abc import Iterator

from dockersweep.ledger.rows import instant, storable
from dockersweep.model.attempt import attempt_of
from dockersweep.model.inventory import Refusal
from dockersweep.model.outcome import Outcome

LONGEST_TEXT = 500
_CHANGES = re.compile(r"[0-9a-f]{12,}|[0-9]+")
"""Ids and numbers: another container may use the image each night, and it is still the same refusal."""


def gist_of(text: str) -> str:
    """Return the message of a refusal without what may differ from run to run."""
    return _CHANGES.sub("#", text.lower())


def write_refusal(database: sqlite3.Connection, run: int, outcome: Outcome) -> None:
    """Count a refusal, once per run; a different message restarts the count, any other outcome deletes it.

    A skipped removal was not requested, so it says nothing about what the engine would do.
    """
    if outcome.refusal is None and outcome.status == "skipped":
        return
    (engine,) = database.execute("SELECT engine FROM runs WHERE number = ?", (run,)).fetchone()
    key = (engine, *map(storable, attempt_of(outcome)))
    if outcome.refusal is None:
        database.execute(
            "DELETE FROM refusals WHERE engine = ? AND kind = ? AND id = ? AND action = ? AND name = ?", key
        )
        return
    text = storable(outcome.refusal[:LONGEST_TEXT])
    database.execute(
        "INSERT INTO refusals VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?) ON CONFLICT (engine, kind, id, action, name) "
        "DO UPDATE SET runs = CASE WHEN gist = excluded.gist THEN runs + (last_run <> excluded.last_run) ELSE 1 END, "
        "gist = excluded.gist, text = excluded.text, last_run = excluded.last_run, refused_at = excluded.refused_at",
        (*key, gist_of(text), text, run, int(time.time())),
    )


def refusals_of(database: sqlite3.Connection, engine: int) -> Iterator[Refusal]:
    """Yield the removals that the engine refused in the last run that tried them."""
    rows = database.execute(
        "SELECT kind, id, action, name, text, runs, refused_at FROM refusals WHERE engine = ?", (engine,)
    ).fetchall()
    for kind, object_id, action, name, text, runs, refused_at in rows:
        yield Refusal(
            kind=kind, id=object_id, action=action, name=name, text=text, runs=runs, refused_at=instant(refused_at)
        )
