"""What the ledger knows of the objects that a person asks for, whether they are there or gone."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime

import msgspec

from dockersweep.ledger.called import Named, Place, places_called
from dockersweep.ledger.past_runs import Spot
from dockersweep.ledger.rows import instant, instant_or_none
from dockersweep.model.history import Life

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
    """Return the lives of what is or was called so, the latest first, and where its removals are; None where nothing
    was ever called so. `since` leaves out lives that had ended by then."""
    lives = list(_lives(database))
    tried = database.execute("SELECT run, position, engine, kind, id, name FROM removals JOIN runs ON number = run")
    spots = [(run, position, (engine, kind, one), name) for run, position, engine, kind, one, name in tried]
    named = [Named(place, life.names) for place, life in lives]
    named += [Named(place, (name,)) for _, _, place, name in spots]
    places = places_called(named, text)
    if not places:
        return None
    found = [life for place, life in lives if place in places and _lasted(life, since)]
    found.sort(key=lambda life: (life.is_there, life.first_seen_at), reverse=True)
    return tuple(found), [(run, position) for run, position, place, _ in spots if place in places]


def _lasted(life: Life, since: datetime | None) -> bool:
    return since is None or life.is_there or (life.last_seen_at is not None and life.last_seen_at >= since)


def _lives(database: sqlite3.Connection) -> Iterator[tuple[Place, Life]]:
    for statement in (_THERE, _GONE):
        for row in database.execute(statement):
            engine, kind, object_id, names, first_seen, unused, last_seen, is_there, engine_name = row
            told = {
                "engine_name": engine_name,
                "kind": kind,
                "id": object_id,
                "names": tuple(names.split("\n")) if names else (),
                "first_seen_at": instant(first_seen),
                "first_seen_unused_at": instant_or_none(unused),
                "last_seen_at": instant_or_none(last_seen),
                "is_there": bool(is_there),
            }
            yield (engine, kind, object_id), msgspec.convert(told, Life)
