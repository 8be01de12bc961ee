"""What the ledger knows about objects that a person asks for, present or gone."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime

import msgspec

from dockersweep.ledger.past_runs import Spot
from dockersweep.ledger.rows import instant, instant_or_none
from dockersweep.model.history import Life
from dockersweep.model.inventory import Kind
from dockersweep.model.lookup import Named, meant_by

Place = tuple[int, Kind, str]
"""An object: the number of its engine, its kind and its id."""

_THERE = (
    "SELECT engine, kind, id, names, first_seen, first_seen_unused, "
    "CASE kind WHEN 'build-cache' THEN cache_seen_at ELSE seen_at END, 1, name "
    "FROM objects JOIN engines ON number = engine"
)
_GONE = (
    "SELECT engine, kind, id, names, first_seen, NULL, last_seen, 0, name "
    "FROM former_objects JOIN engines ON number = engine"
)


def find_past(
    database: sqlite3.Connection, text: str, since: datetime | None
) -> tuple[tuple[Life, ...], list[Spot]] | None:
    """Return the lives of the objects that a text names, the latest first, and the spots of their removals; None where
    it names none. `since` leaves out lives that had ended by then."""
    lives = list(_lives(database))
    removals = database.execute("SELECT run, position, engine, kind, id, name FROM removals JOIN runs ON number = run")
    spots = [
        (run, position, (engine, kind, object_id), name) for run, position, engine, kind, object_id, name in removals
    ]
    known = [Named(place, place[1], place[2], life.names) for place, life in lives]
    known += [Named(place, place[1], place[2], (name,)) for _, _, place, name in spots]
    places = {named.what for named in meant_by(text, known)}
    if not places:
        return None
    matching = [life for place, life in lives if place in places and _lasted(life, since)]
    matching.sort(key=lambda life: (life.is_there, life.first_seen_at), reverse=True)
    return tuple(matching), [(run, position) for run, position, place, _ in spots if place in places]


def _lasted(life: Life, since: datetime | None) -> bool:
    return since is None or life.is_there or (life.last_seen_at is not None and life.last_seen_at >= since)


def _lives(database: sqlite3.Connection) -> Iterator[tuple[Place, Life]]:
    for statement in (_THERE, _GONE):
        for row in database.execute(statement):
            engine, kind, object_id, names, first_seen, unused, last_seen, is_there, engine_name = row
            fields = {
                "engine_name": engine_name,
                "kind": kind,
                "id": object_id,
                "names": tuple(names.split("\n")) if names else (),
                "first_seen_at": instant(first_seen),
                "first_seen_unused_at": instant_or_none(unused),
                "last_seen_at": instant_or_none(last_seen),
                "is_there": bool(is_there),
            }
            yield (engine, kind, object_id), msgspec.convert(fields, Life)
