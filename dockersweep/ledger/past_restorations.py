"""What runs of `restore` made again, read back from their rows; ledgers before version 9 have none."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from dockersweep.files import is_there
from dockersweep.ledger.rows import instant, instant_or_none
from dockersweep.model.history import PastRestoration
from dockersweep.model.inventory import Kind
from dockersweep.model.recovery import How, RestoreStatus

_COLUMNS = (
    "SELECT run, started_at, engines.name, kind, id, restorations.name, as_name, action, of_run, status, detail, "
    "new_id, ended_at FROM restorations JOIN runs ON runs.number = run LEFT JOIN engines ON engines.number = engine"
)


class RestoredCounts:
    """What became of what one run was to make again."""

    def __init__(self) -> None:
        self.restored: Counter[Kind] = Counter()
        self.tags = 0
        self.others: Counter[RestoreStatus] = Counter()

    def fields(self) -> dict[str, Any]:
        """Return it as the fields of a past run."""
        return {"restored": dict(self.restored), "tags_restored": self.tags, "not_restored": dict(self.others)}


def has_restorations(database: sqlite3.Connection) -> bool:
    """Return whether the ledger is of a version that records them."""
    found = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'restorations'").fetchone()
    return found is not None


def restored_between(database: sqlite3.Connection, first: int, last: int) -> Mapping[int, RestoredCounts]:
    """Return what the runs numbered `first` to `last` made again, by their numbers."""
    counts_of: defaultdict[int, RestoredCounts] = defaultdict(RestoredCounts)
    if not has_restorations(database):
        return counts_of
    rows = database.execute(
        "SELECT run, kind, action, status, count(*) FROM restorations "
        "WHERE run BETWEEN ? AND ? AND status IS NOT NULL GROUP BY run, kind, action, status",
        (first, last),
    )
    for run, kind, action, status, count in rows:
        counts = counts_of[run]
        if status != "restored":
            counts.others[status] += count
        elif action == "tag":
            counts.tags += count
        else:
            counts.restored[kind] += count
    return counts_of


def restorations_of(database: sqlite3.Connection, run: int) -> tuple[PastRestoration, ...]:
    """Return what one run was to make again, in order."""
    if not has_restorations(database):
        return ()
    rows = database.execute(f"{_COLUMNS} WHERE run = ? ORDER BY position", (run,))
    return tuple(_restorations(rows))


def all_restorations(database: sqlite3.Connection) -> tuple[PastRestoration, ...]:
    """Return what all runs were to make again, the newest run first."""
    if not has_restorations(database):
        return ()
    return tuple(_restorations(database.execute(f"{_COLUMNS} ORDER BY run DESC, position")))


def _restorations(rows: sqlite3.Cursor) -> Iterator[PastRestoration]:
    for run, started_at, engine_name, kind, object_id, name, as_name, action, of_run, *rest in rows:
        status, detail, new_id, ended_at = rest
        fields = {
            "run": run,
            "started_at": instant(started_at),
            "engine_name": engine_name,
            "kind": kind,
            "id": object_id,
            "name": name,
            "as_name": as_name,
            "action": action,
            "of_run": of_run,
            "status": status,
            "detail": detail,
            "new_id": new_id,
            "ended_at": instant_or_none(ended_at),
        }
        yield msgspec.convert(fields, PastRestoration)


class Kept(Struct, frozen=True):
    """What is kept of a removed object."""

    how: How | None = None
    """How it is made again; None where nothing is kept."""
    lost_archive: str | None = None
    """The folder of the archive that it went into, where it is no more: the run was deleted there, or the archive was
    moved; None where it is there."""


def kept_of(database: sqlite3.Connection, run: int, kind: str, object_id: str) -> Kept:
    """Return what is kept of a removed object, in the archive as far as that can be seen."""
    if not has_restorations(database):
        return Kept()
    key = run, kind, object_id
    lost = None
    row = database.execute("SELECT folder, path FROM archived WHERE run = ? AND kind = ? AND id = ?", key).fetchone()
    if row is not None:
        folder, path = row
        if _may_be_there(f"{folder}/{path}"):
            return Kept("archive")
        lost = folder
    row = database.execute("SELECT 1 FROM definitions WHERE run = ? AND kind = ? AND id = ?", key).fetchone()
    return Kept(None if row is None else "recreate", lost)


def _may_be_there(path: str) -> bool:
    try:
        return is_there(path)
    except (OSError, ValueError):
        # The archive is for its owner alone, and this may be somebody else.
        return True
