"""What a run kept of an object before it removed it: where its archive is, or its inspect document."""

import sqlite3
from collections.abc import Mapping
from datetime import datetime

import msgspec

from dockersweep.ledger.rows import instant, seconds, storable
from dockersweep.ledger.transaction import transaction
from dockersweep.model.history import ArchivedRow
from dockersweep.model.inventory import Kind


def keep_archived(database: sqlite3.Connection, run: int, what: ArchivedRow) -> None:
    """Record that a run has put an object into an archive."""
    row = (
        *(run, what.kind, storable(what.id), storable(what.name)),
        *(storable(what.folder), storable(what.path), what.size_bytes, seconds(what.archived_at)),
    )
    with transaction(database):
        database.execute("INSERT OR REPLACE INTO archived VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


def keep_definition(database: sqlite3.Connection, run: int, what: tuple[Kind, str], document: bytes) -> None:
    """Record the inspect document of an object, by its kind and id, that a run is about to remove."""
    with transaction(database):
        database.execute(
            "INSERT OR REPLACE INTO definitions VALUES (?, ?, ?, ?)", (run, what[0], storable(what[1]), document)
        )


def archived_of(database: sqlite3.Connection, engine: int) -> Mapping[tuple[int, Kind, str], ArchivedRow]:
    """Return where the archives of removed objects of an engine are, by run, kind and id."""
    rows = database.execute(
        "SELECT run, kind, id, archived.name, folder, path, size_bytes, archived_at "
        "FROM archived JOIN runs ON number = run WHERE engine = ?",
        (engine,),
    )
    found = {}
    for run, kind, object_id, name, folder, path, size_bytes, archived_at in rows:
        fields = {
            "kind": kind,
            "id": object_id,
            "name": name,
            "folder": folder,
            "path": path,
            "size_bytes": size_bytes,
            "archived_at": instant(archived_at),
        }
        found[run, kind, object_id] = msgspec.convert(fields, ArchivedRow)
    return found


def runs_in(database: sqlite3.Connection, folder: str, since: datetime) -> frozenset[str]:
    """Return the folders, below that of an archive, of runs that have put something there since an instant."""
    rows = database.execute(
        "SELECT DISTINCT path FROM archived WHERE folder = ? AND archived_at > ?", (storable(folder), seconds(since))
    )
    return frozenset(path for (path,) in rows)


def definitions_of(database: sqlite3.Connection, engine: int) -> frozenset[tuple[int, Kind, str]]:
    """Return of which removed objects of an engine there are inspect documents, by run, kind and id."""
    rows = database.execute(
        "SELECT run, kind, id FROM definitions JOIN runs ON number = run WHERE engine = ?", (engine,)
    )
    return frozenset(rows)


def definition_of(database: sqlite3.Connection, run: int, kind: Kind, object_id: str) -> bytes | None:
    """Return the inspect document of an object that a run removed; None where none is kept."""
    key = run, kind, storable(object_id)
    row = database.execute("SELECT document FROM definitions WHERE run = ? AND kind = ? AND id = ?", key).fetchone()
    return None if row is None else bytes(row[0])
