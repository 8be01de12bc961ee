"""What runs removed, as `restore` asks for it, and what `restore` made of it."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence

import msgspec

from dockersweep.ledger.recognition import PULL
from dockersweep.ledger.rows import instant, storable
from dockersweep.ledger.transaction import transaction
from dockersweep.model.history import Recognition
from dockersweep.model.inventory import Kind
from dockersweep.model.restoring import RemovedRow, Restored, RunOfEngine

_RECOGNITION = msgspec.json.Decoder(Recognition)


def removed_from(database: sqlite3.Connection, engine: int) -> tuple[RemovedRow, ...]:
    """Return everything that runs removed from an engine, but build-cache records, the oldest first."""
    rows = database.execute(
        "SELECT run, kind, id, removals.name, action, recognition, coalesce(ended_at, sent_at, started_at) "
        "FROM removals JOIN outcomes USING (run, position) JOIN runs ON number = run "
        "WHERE engine = ? AND status = 'removed' AND kind <> 'build-cache' ORDER BY run, position",
        (engine,),
    )
    return tuple(_removed_rows(rows))


def _removed_rows(rows: sqlite3.Cursor) -> Iterator[RemovedRow]:
    for run, kind, object_id, name, action, recognition, removed_at in rows:
        known = _RECOGNITION.decode(recognition) if kind == "image" else {}
        tags, reference = known.get("tags"), known.get(PULL)
        fields = {
            "kind": kind,
            "id": object_id,
            "run": run,
            "name": name,
            "action": "tag" if action == "untag" else "create",
            "removed_at": instant(removed_at),
            "tags": tuple(tags) if isinstance(tags, list) else (),
            "reference": reference if isinstance(reference, str) else None,
        }
        yield msgspec.convert(fields, RemovedRow)


def run_of(database: sqlite3.Connection, engine: int, run: int) -> RunOfEngine | None:
    """Return what `restore` has to know of a run; None where there is no such run."""
    row = database.execute(
        "SELECT engine, name, endpoint, verb FROM runs LEFT JOIN engines ON engines.number = engine "
        "WHERE runs.number = ?",
        (run,),
    ).fetchone()
    if row is None:
        return None
    count = database.execute(
        "SELECT count(*) FROM removals JOIN outcomes USING (run, position) "
        "WHERE run = ? AND status = 'removed' AND kind = 'build-cache'",
        (run,),
    ).fetchone()[0]
    return RunOfEngine(
        is_of_engine=row[0] == engine, engine_name=row[1], endpoint=row[2], verb=row[3], build_cache_records=count
    )


def plan_restorations(database: sqlite3.Connection, run: int, restored: Sequence[Restored]) -> None:
    """Record what a run is to make again."""
    rows = [
        (
            *(run, position, one.kind, storable(one.id), storable(one.name), storable(one.as_name), one.action),
            *(one.run, None, None, None, None),
        )
        for position, one in enumerate(restored)
    ]
    with transaction(database):
        database.executemany(f"INSERT INTO restorations VALUES ({', '.join('?' * 12)})", rows)


def end_restoration(database: sqlite3.Connection, run: int, position: int, restored: Restored, at: int) -> None:
    """Record what became of one object."""
    values = (
        *(restored.status, None if restored.detail is None else storable(restored.detail[:2000])),
        *(restored.new_id, at, run, position),
    )
    with transaction(database):
        database.execute(
            "UPDATE restorations SET status = ?, detail = ?, new_id = ?, ended_at = ? WHERE run = ? AND position = ?",
            values,
        )


def half_restored(database: sqlite3.Connection, engine: int, own: Collection[int]) -> dict[tuple[Kind, str], int]:
    """Return what runs that did not end were making when they ended, as the kind and the name that it was to get, with
    the run; without those of this process, and without what a later run has made."""
    rows = database.execute(
        "SELECT kind, as_name, min(position), run FROM restorations JOIN runs ON number = run "
        "WHERE engine = ? AND status IS NULL GROUP BY run",
        (engine,),
    ).fetchall()
    made = {
        (kind, name): run
        for kind, name, run in database.execute(
            "SELECT kind, as_name, max(run) FROM restorations JOIN runs ON number = run "
            "WHERE engine = ? AND status = 'restored' GROUP BY kind, as_name",
            (engine,),
        )
    }
    return {(kind, name): run for kind, name, _, run in rows if run not in own and made.get((kind, name), 0) < run}
