"""What the ledger knows of engines and of their objects: since when they are there, unused, or marked."""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from dockersweep.ledger.opening import UnusableError
from dockersweep.ledger.refusals import refusals_of
from dockersweep.ledger.rows import instant, storable
from dockersweep.model.inventory import Engine, Image, Inventory, Kind, Mark, Object
from dockersweep.model.naming import engine_identity, name_of, objects_of, ref_of
from dockersweep.model.plan import ObjectRef

MOST_NAMES = 10


def engine_number(database: sqlite3.Connection, engine: Engine) -> int:
    """Return the number of an engine, with a row of its own from now on; it does not make the engine known."""
    identity = storable(engine_identity(engine))
    name, endpoint = None if engine.name is None else storable(engine.name), storable(engine.endpoint)
    row = database.execute("SELECT number, name, endpoint FROM engines WHERE identity = ?", (identity,)).fetchone()
    if row is None:
        database.execute("INSERT INTO engines (identity, name, endpoint) VALUES (?, ?, ?)", (identity, name, endpoint))
        return engine_number(database, engine)
    if row[1:] != (name, endpoint):
        database.execute("UPDATE engines SET name = ?, endpoint = ? WHERE number = ?", (name, endpoint, row[0]))
    number: int = row[0]
    return number


def known_engine(database: sqlite3.Connection, engine: Engine) -> int | None:
    """Return the number of an engine that has a row."""
    found = database.execute("SELECT number FROM engines WHERE identity = ?", (storable(engine_identity(engine)),))
    row = found.fetchone()
    return None if row is None else row[0]


@dataclass(frozen=True, slots=True)
class _Life:
    names: str | None
    first_seen: int
    first_seen_unused: int | None


def update_objects(
    database: sqlite3.Connection, engine: int, inventory: Inventory, used: Collection[ObjectRef], now: int
) -> Inventory:
    """Write down what is there and what is gone, and return the inventory with what was known of it before.

    What is gone takes its marks with it, and is young again when it comes back; what is used is no candidate.
    """
    known = dict(_lives(database, engine))
    lives = {
        ref_of(seen): _life(known.get(ref_of(seen)), _names(seen), ref_of(seen) in used, now)
        for seen in objects_of(inventory)
    }
    changed = [(ref, life) for ref, life in lives.items() if known.get(ref) != life]
    database.executemany(
        "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?)",
        [(engine, ref.kind, ref.id, life.names, life.first_seen, life.first_seen_unused) for ref, life in changed],
    )
    _unmark(database, engine, used)
    unread = {"build-cache"} if inventory.build_cache is None else set()
    _bury(database, engine, [ref for ref in known if ref not in lives and ref.kind not in unread])
    database.execute("UPDATE engines SET seen_at = ? WHERE number = ?", (now, engine))
    if not unread:
        database.execute("UPDATE engines SET cache_seen_at = ? WHERE number = ?", (now, engine))
    known_before = _with_lives(inventory, lives, tuple(_marks(database, engine)))
    return replace(known_before, refusals=tuple(refusals_of(database, engine)))


def _lives(database: sqlite3.Connection, engine: int) -> Iterator[tuple[ObjectRef, _Life]]:
    rows = database.execute(
        "SELECT kind, id, names, first_seen, first_seen_unused FROM objects WHERE engine = ?", (engine,)
    ).fetchall()
    for kind, object_id, names, first_seen, unused in rows:
        if not (isinstance(first_seen, int) and (unused is None or isinstance(unused, int))):
            raise UnusableError(f"is damaged (it has no age of {kind} {object_id!r:.80})")
        yield ObjectRef(kind=kind, id=object_id), _Life(names, first_seen, unused)


def _life(known: _Life | None, names: str, is_used: bool, now: int) -> _Life:
    if known is None:
        return _Life(names, now, None if is_used else now)
    if known.names is not None and known.names != names:
        # An image that lost its tag to a newer one is still asked for by it.
        names = "\n".join(list(dict.fromkeys(f"{names}\n{known.names}".split("\n")))[:MOST_NAMES])
    if is_used:
        return _Life(names, known.first_seen, None)
    return _Life(names, known.first_seen, now if known.first_seen_unused is None else known.first_seen_unused)


def _names(seen: Object) -> str:
    """Return what it can be asked for by, a name a line, the one that people are told first."""
    if type(seen) is Image and seen.tags:
        return storable("\n".join(seen.tags))
    return storable(name_of(seen).replace("\n", " "))


def _bury(database: sqlite3.Connection, engine: int, gone: Collection[ObjectRef]) -> None:
    places = [(engine, ref.kind, ref.id) for ref in gone]
    database.executemany(
        "INSERT INTO former_objects SELECT engine, kind, id, names, first_seen, max(first_seen, coalesce("
        "CASE kind WHEN 'build-cache' THEN cache_seen_at ELSE seen_at END, 0)) "
        "FROM objects JOIN engines ON number = engine WHERE engine = ? AND kind = ? AND id = ?",
        places,
    )
    for table in ("objects", "marks", "failures", "refusals"):
        database.executemany(f"DELETE FROM {table} WHERE engine = ? AND kind = ? AND id = ?", places)


def _unmark(database: sqlite3.Connection, engine: int, used: Collection[ObjectRef]) -> None:
    marked = database.execute("SELECT DISTINCT kind, id FROM marks WHERE engine = ?", (engine,)).fetchall()
    database.executemany(
        "DELETE FROM marks WHERE engine = ? AND kind = ? AND id = ?",
        [(engine, kind, one) for kind, one in marked if ObjectRef(kind=kind, id=one) in used],
    )


def _marks(database: sqlite3.Connection, engine: int) -> Iterator[Mark]:
    rows = database.execute("SELECT kind, id, rule, terms, marked_at FROM marks WHERE engine = ?", (engine,)).fetchall()
    for kind, object_id, rule, terms, marked_at in rows:
        yield Mark(kind=kind, id=object_id, rule=rule, terms=terms, marked_at=instant(marked_at))


def _with_lives(inventory: Inventory, lives: Mapping[ObjectRef, _Life], marks: tuple[Mark, ...]) -> Inventory:
    # Most were seen together, and a million of them may be here.
    instants: dict[int, datetime] = {}

    def at(value: int) -> datetime:
        if value not in instants:
            instants[value] = instant(value)
        return instants[value]

    def recall(seen: Object) -> Object:
        life = lives[ref_of(seen)]
        unused = None if life.first_seen_unused is None else at(life.first_seen_unused)
        return replace(seen, first_seen_at=at(life.first_seen), first_seen_unused_at=unused)

    return replace(
        inventory,
        containers=tuple(map(recall, inventory.containers)),
        images=tuple(map(recall, inventory.images)),
        volumes=tuple(map(recall, inventory.volumes)),
        networks=tuple(map(recall, inventory.networks)),
        build_cache=None if inventory.build_cache is None else tuple(map(recall, inventory.build_cache)),
        marks=marks,
    )


def update_marks(
    database: sqlite3.Connection,
    engine: int,
    candidates: Collection[Mark],
    terms: Collection[tuple[str, str]],
    kinds: Collection[Kind],
    now: int,
) -> None:
    """Leave exactly these candidates of these kinds marked for these rules with their terms, each since it was first
    marked."""
    wanted = {(mark.kind, mark.id, storable(mark.rule), storable(mark.terms)) for mark in candidates}
    spoken_of = {(storable(rule), storable(text)) for rule, text in terms}
    marked = {
        row
        for row in database.execute("SELECT kind, id, rule, terms FROM marks WHERE engine = ?", (engine,))
        if row[2:] in spoken_of and row[0] in kinds
    }
    database.executemany(
        "DELETE FROM marks WHERE engine = ? AND kind = ? AND id = ? AND rule = ? AND terms = ?",
        [(engine, *row) for row in marked - wanted],
    )
    database.executemany(
        "INSERT OR IGNORE INTO marks VALUES (?, ?, ?, ?, ?, ?)", [(engine, *row, now) for row in wanted - marked]
    )


def layers_of(database: sqlite3.Connection, engine: int) -> dict[str, bytes]:
    """Return what was kept of the layers of an engine."""
    rows = database.execute("SELECT id, told FROM layers WHERE engine = ?", (engine,))
    return {one: told for one, told in rows if isinstance(one, str) and isinstance(told, bytes)}


def update_layers(database: sqlite3.Connection, engine: int, layers: Mapping[str, bytes]) -> None:
    """Keep what never changes of layers in place of what was kept of ids that begin alike, up to the first colon."""
    known = layers_of(database, engine)
    changed = [(engine, one, told) for one, told in layers.items() if known.get(one) != told]
    told = {one.partition(":")[0] for one in layers}
    gone = [(engine, one) for one in known if one not in layers and one.partition(":")[0] in told]
    database.executemany("INSERT OR REPLACE INTO layers VALUES (?, ?, ?)", changed)
    database.executemany("DELETE FROM layers WHERE engine = ? AND id = ?", gone)
