"""What a run kept of an object before it removed it: where its archive is, or its inspect document."""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from dockersweep.ledger.rows import instant, seconds, storable
from dockersweep.ledger.transaction import transaction
from dockersweep.model.history import ArchivedRow, PastArchive
from dockersweep.model.inventory import Kind
from dockersweep.model.recovery import EarlyDeletion

_OBJECTS = msgspec.json.Decoder(dict[Kind, int])


def keep_archived(database: sqlite3.Connection, run: int, what: ArchivedRow) -> None:
    """Record that a run has put an object into an archive."""
    row = (
        *(run, what.kind, storable(what.id), storable(what.name)),
        *(storable(what.folder), storable(what.path), what.size_bytes, seconds(what.archived_at)),
        seconds(what.until),
    )
    with transaction(database):
        database.execute("INSERT OR REPLACE INTO archived VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def keep_definition(database: sqlite3.Connection, run: int, what: tuple[Kind, str], document: bytes) -> None:
    """Record the inspect document of an object, by its kind and id, that a run is about to remove."""
    with transaction(database):
        database.execute(
            "INSERT OR REPLACE INTO definitions VALUES (?, ?, ?, ?)", (run, what[0], storable(what[1]), document)
        )


def archived_of(database: sqlite3.Connection, engine: int) -> Mapping[tuple[int, Kind, str], ArchivedRow]:
    """Return where the archives of removed objects of an engine are, by run, kind and id."""
    rows = database.execute(
        "SELECT run, kind, id, archived.name, folder, path, size_bytes, archived_at, until "
        "FROM archived JOIN runs ON number = run WHERE engine = ?",
        (engine,),
    )
    found = {}
    for run, kind, object_id, name, folder, path, size_bytes, archived_at, until in rows:
        fields = {
            "kind": kind,
            "id": object_id,
            "name": name,
            "folder": folder,
            "path": path,
            "size_bytes": size_bytes,
            "archived_at": instant(archived_at),
            "until": instant(until),
        }
        found[run, kind, object_id] = msgspec.convert(fields, ArchivedRow)
    return found


def runs_in(database: sqlite3.Connection, folder: str, now: datetime) -> frozenset[str]:
    """Return the folders, below that of an archive, of runs that are still to be kept there."""
    rows = database.execute(
        "SELECT DISTINCT path FROM archived WHERE folder = ? AND until > ?", (storable(folder), seconds(now))
    )
    return frozenset(path for (path,) in rows)


def keep_deleted(database: sqlite3.Connection, run: int, folder: str, deleted: Sequence[EarlyDeletion]) -> None:
    """Record which runs another one deleted from an archive before their time."""
    rows = [
        (
            *(run, storable(folder), storable(one.folder), one.run),
            *(msgspec.json.encode(one.objects).decode(), seconds(one.until)),
        )
        for one in deleted
    ]
    with transaction(database):
        database.executemany("INSERT OR REPLACE INTO early_deletions VALUES (?, ?, ?, ?, ?, ?)", rows)


def archive_of(database: sqlite3.Connection, run: int) -> PastArchive | None:
    """Return where a run has archived what it removed; None where it has archived nothing."""
    row = database.execute(
        "SELECT folder, path, archived.until, early_deletions.run FROM archived "
        "LEFT JOIN early_deletions USING (folder, path) WHERE archived.run = ? LIMIT 1",
        (run,),
    ).fetchone()
    if row is None:
        return None
    folder, path, until, deleted_by = row
    fields = {"folder": folder, "path": path, "until": instant(until), "deleted_by": deleted_by}
    return msgspec.convert(fields, PastArchive)


def deleted_by(database: sqlite3.Connection, run: int) -> tuple[EarlyDeletion, ...]:
    """Return which runs one deleted from the archive before their time, the oldest first."""
    rows = database.execute(
        "SELECT path, of_run, objects, until FROM early_deletions WHERE run = ? ORDER BY path", (run,)
    )
    return tuple(
        EarlyDeletion(folder=path, run=of_run, objects=_OBJECTS.decode(objects), until=instant(until))
        for path, of_run, objects, until in rows
    )


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
