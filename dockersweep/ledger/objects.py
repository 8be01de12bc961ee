"""What the ledger knows about engines and their objects: since when they are there, unused, or marked."""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.ledger.opening import UnusableError
from dockersweep.ledger.projects import update_projects
from dockersweep.ledger.refusals import refusals_of
from dockersweep.ledger.rows import instant, seconds, storable
from dockersweep.ledger.uses import drop_pending, move_position, update_uses
from dockersweep.ledger.watched import add_span, cut_spans, spans_of
from dockersweep.model.event_reading import NoticedUses
from dockersweep.model.inventory import Engine, Image, Inventory, Kind, Mark, Object, ObjectRef, Volume
from dockersweep.model.last_use import PastUse, Span
from dockersweep.model.naming import engine_identity, former_identity, name_of, objects_of, ref_of

MOST_NAMES = 10


def engine_number(database: sqlite3.Connection, engine: Engine) -> int:
    """Return the number of an engine, adding a row for it if needed; this does not make the engine known."""
    name = None if engine.name is None else storable(engine.name)
    now = (storable(engine_identity(engine)), name, storable(engine.endpoint))
    number = known_engine(database, engine)
    if number is None:
        database.execute("INSERT INTO engines (identity, name, endpoint) VALUES (?, ?, ?)", now)
        return engine_number(database, engine)
    if database.execute("SELECT identity, name, endpoint FROM engines WHERE number = ?", (number,)).fetchone() != now:
        database.execute("UPDATE engines SET identity = ?, name = ?, endpoint = ? WHERE number = ?", (*now, number))
    return number


def known_engine(database: sqlite3.Connection, engine: Engine) -> int | None:
    """Return the number of an engine, which may still have its former identity there; None where it has no row."""
    for identity in (engine_identity(engine), former_identity(engine)):
        row = database.execute("SELECT number FROM engines WHERE identity = ?", (storable(identity),)).fetchone()
        if row is not None:
            number: int = row[0]
            return number
    return None


class _Life(Struct, frozen=True):
    names: str | None
    first_seen: int
    first_seen_unused: int | None
    has_tag: bool | None
    """Of an image, whether it has a tag now; None for other kinds, and in rows of older versions."""
    unused_scan: int | None
    """The number of the scan that first saw it unused; None while it is used, and if scans were not counted then."""


def update_objects(
    database: sqlite3.Connection,
    engine: int,
    inventory: Inventory,
    used: Collection[ObjectRef],
    now: int,
    noticed: NoticedUses | None,
) -> Inventory:
    """Record which objects are there, which are gone, and which uses were noticed; return the inventory with what was
    known about its objects before.

    Objects that are gone lose their marks and uses, and start a new life when they come back. Used objects lose their
    marks.
    """
    known = dict(_lives(database, engine))
    others = _made_again(known, inventory.volumes, now)
    _bury(database, engine, others)
    known = {ref: life for ref, life in known.items() if ref not in others} if others else known
    scan = _count_scan(database, engine)
    lives = {
        (ref := ref_of(present)): _life(known.get(ref), _names(present), ref in used, now, scan, _has_tag(present))
        for present in objects_of(inventory)
    }
    _keep_lives(database, engine, {ref: life for ref, life in lives.items() if life is not known.get(ref)})
    _unmark(database, engine, used)
    unread = {"build-cache"} if inventory.build_cache is None else set()
    _bury(database, engine, [ref for ref in known if ref not in lives and ref.kind not in unread])
    database.execute("UPDATE engines SET seen_at = ? WHERE number = ?", (now, engine))
    if not unread:
        database.execute("UPDATE engines SET cache_seen_at = ? WHERE number = ?", (now, engine))
    uses = update_uses(database, engine, {} if noticed is None else noticed.uses, lives)
    known_before = _with_lives(inventory, lives, uses, scan)
    return replace(
        update_projects(database, engine, known_before),
        marks=tuple(_marks(database, engine)),
        refusals=tuple(refusals_of(database, engine)),
        watched=_watched(database, engine, noticed, now),
    )


def _keep_lives(database: sqlite3.Connection, engine: int, lives: Mapping[ObjectRef, _Life]) -> None:
    database.executemany(
        "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                engine,
                ref.kind,
                ref.id,
                life.names,
                life.first_seen,
                life.first_seen_unused,
                life.has_tag,
                life.unused_scan,
            )
            for ref, life in lives.items()
        ],
    )


def _made_again(known: Mapping[ObjectRef, _Life], volumes: Collection[Volume], now: int) -> set[ObjectRef]:
    """Return the volumes created after their name was first seen: the earlier life was another volume's."""
    return {
        ref
        for volume in volumes
        if volume.created_at is not None
        and (life := known.get(ref := ref_of(volume))) is not None
        and life.first_seen < seconds(volume.created_at) <= now
    }


def _watched(database: sqlite3.Connection, engine: int, noticed: NoticedUses | None, now: int) -> tuple[Span, ...]:
    """Record the span in which uses were noticed, and return all spans."""
    cut_spans(database, engine, now)
    if noticed is not None:
        drop_pending(database, engine, noticed.pending)
        if noticed.position is not None:
            move_position(database, engine, noticed.position, now)
        if noticed.watched is not None:
            add_span(database, engine, noticed.watched)
    spans = spans_of(database, engine)
    end = None if noticed is None or noticed.watched is None else noticed.watched.ends_at
    if end is None or not spans or spans[-1].ends_at != end.replace(microsecond=0):
        return spans
    # Rows have whole seconds; the rest of the last second was watched too.
    return *spans[:-1], replace(spans[-1], ends_at=end)


def freed(database: sqlite3.Connection, engine: int, refs: Collection[ObjectRef], now: int) -> None:
    """Record that used objects are unused from now on; the next scan is the first to see them so."""
    database.executemany(
        "UPDATE objects SET first_seen_unused = max(first_seen, ?), "
        "unused_scan = (SELECT scans + 1 FROM engines WHERE number = engine) "
        "WHERE engine = ? AND kind = ? AND id = ? AND first_seen_unused IS NULL",
        [(now, engine, ref.kind, ref.id) for ref in refs],
    )


def _lives(database: sqlite3.Connection, engine: int) -> Iterator[tuple[ObjectRef, _Life]]:
    rows = database.execute(
        "SELECT kind, id, names, first_seen, first_seen_unused, has_tag, unused_scan FROM objects WHERE engine = ?",
        (engine,),
    ).fetchall()
    for kind, object_id, names, first_seen, unused, has_tag, unused_scan in rows:
        if not (isinstance(first_seen, int) and (unused is None or isinstance(unused, int))):
            raise UnusableError(f"is damaged (it has no age of {kind} {object_id!r:.80})")
        life = _Life(names, first_seen, unused, None if has_tag is None else bool(has_tag), unused_scan)
        yield ObjectRef(kind=kind, id=object_id), life


def _count_scan(database: sqlite3.Connection, engine: int) -> int:
    """Count this scan; return its number, from 1 on."""
    database.execute("UPDATE engines SET scans = scans + 1 WHERE number = ?", (engine,))
    number: int = database.execute("SELECT scans FROM engines WHERE number = ?", (engine,)).fetchone()[0]
    return number


def _life(known: _Life | None, names: str, is_used: bool, now: int, scan: int, has_tag: bool | None) -> _Life:
    """Return the life of an object as of this scan: `known` itself if nothing changed."""
    if known is None:
        return _Life(names, now, None if is_used else now, has_tag, None if is_used else scan)
    if known.names is not None and known.names != names:
        # People still ask for an image by the tag that it lost to a newer one.
        names = "\n".join(list(dict.fromkeys(f"{names}\n{known.names}".split("\n")))[:MOST_NAMES])
    if (known.names, known.has_tag, known.first_seen_unused is None) == (names, has_tag, is_used):
        return known
    if is_used:
        return _Life(names, known.first_seen, None, has_tag, None)
    if known.first_seen_unused is None:
        return _Life(names, known.first_seen, now, has_tag, scan)
    return _Life(names, known.first_seen, known.first_seen_unused, has_tag, known.unused_scan)


def _has_tag(present: Object) -> bool | None:
    return bool(present.tags) if type(present) is Image else None


def _names(present: Object) -> str:
    """Return the names that find the object, one a line, the displayed one first."""
    if type(present) is Image and present.tags:
        return storable("\n".join(present.tags))
    return storable(name_of(present).replace("\n", " "))


def _bury(database: sqlite3.Connection, engine: int, gone: Collection[ObjectRef]) -> None:
    places = [(engine, ref.kind, ref.id) for ref in gone]
    database.executemany(
        "INSERT INTO former_objects SELECT engine, kind, id, names, first_seen, max(first_seen, coalesce("
        "CASE kind WHEN 'build-cache' THEN cache_seen_at ELSE seen_at END, 0)), has_tag "
        "FROM objects JOIN engines ON number = engine WHERE engine = ? AND kind = ? AND id = ?",
        places,
    )
    for table in ("objects", "marks", "failures", "refusals", "uses", "last_projects", "inherited_labels"):
        database.executemany(f"DELETE FROM {table} WHERE engine = ? AND kind = ? AND id = ?", places)


def _unmark(database: sqlite3.Connection, engine: int, used: Collection[ObjectRef]) -> None:
    marked = database.execute("SELECT DISTINCT kind, id FROM marks WHERE engine = ?", (engine,)).fetchall()
    database.executemany(
        "DELETE FROM marks WHERE engine = ? AND kind = ? AND id = ?",
        [(engine, kind, object_id) for kind, object_id in marked if ObjectRef(kind=kind, id=object_id) in used],
    )


def _marks(database: sqlite3.Connection, engine: int) -> Iterator[Mark]:
    rows = database.execute("SELECT kind, id, rule, terms, marked_at FROM marks WHERE engine = ?", (engine,)).fetchall()
    for kind, object_id, rule, terms, marked_at in rows:
        yield Mark(kind=kind, id=object_id, rule=rule, terms=terms, marked_at=instant(marked_at))


def _with_lives(
    inventory: Inventory,
    lives: Mapping[ObjectRef, _Life],
    uses: Mapping[ObjectRef, tuple[PastUse, ...]],
    scan: int,
) -> Inventory:
    # Most objects share a few instants, and there may be a million objects.
    instants: dict[int, datetime] = {}

    def at(value: int) -> datetime:
        if value not in instants:
            instants[value] = instant(value)
        return instants[value]

    def recall(present: Object) -> Object:
        ref = ref_of(present)
        life = lives[ref]
        unused = None if life.first_seen_unused is None else at(life.first_seen_unused)
        scans = None if life.unused_scan is None else scan - life.unused_scan + 1
        recalled = replace(present, first_seen_at=at(life.first_seen), first_seen_unused_at=unused, scans_unused=scans)
        return replace(recalled, uses=uses[ref]) if ref in uses else recalled

    return replace(
        inventory,
        containers=tuple(map(recall, inventory.containers)),
        images=tuple(map(recall, inventory.images)),
        volumes=tuple(map(recall, inventory.volumes)),
        networks=tuple(map(recall, inventory.networks)),
        build_cache=None if inventory.build_cache is None else tuple(map(recall, inventory.build_cache)),
    )


def update_marks(
    database: sqlite3.Connection,
    engine: int,
    candidates: Collection[Mark],
    terms: Collection[tuple[str, str]],
    kinds: Collection[Kind],
    now: int,
) -> None:
    """Leave exactly these candidates marked for the given kinds and `terms` (rule, terms), each since it was first
    marked."""
    wanted = {(mark.kind, mark.id, storable(mark.rule), storable(mark.terms)) for mark in candidates}
    matched = {(storable(rule), storable(text)) for rule, text in terms}
    marked = {
        row
        for row in database.execute("SELECT kind, id, rule, terms FROM marks WHERE engine = ?", (engine,))
        if row[2:] in matched and row[0] in kinds
    }
    database.executemany(
        "DELETE FROM marks WHERE engine = ? AND kind = ? AND id = ? AND rule = ? AND terms = ?",
        [(engine, *row) for row in marked - wanted],
    )
    database.executemany(
        "INSERT OR IGNORE INTO marks VALUES (?, ?, ?, ?, ?, ?)", [(engine, *row, now) for row in wanted - marked]
    )


def layers_of(database: sqlite3.Connection, engine: int) -> dict[str, bytes]:
    """Return what is kept about the layers of an engine, by id."""
    rows = database.execute("SELECT id, told FROM layers WHERE engine = ?", (engine,))
    return {key: data for key, data in rows if isinstance(key, str) and isinstance(data, bytes)}


def update_layers(database: sqlite3.Connection, engine: int, layers: Mapping[str, bytes]) -> None:
    """Keep what never changes about layers, replacing what is kept under ids with the same prefix (up to the first
    colon)."""
    known = layers_of(database, engine)
    changed = [(engine, key, data) for key, data in layers.items() if known.get(key) != data]
    prefixes = {key.partition(":")[0] for key in layers}
    gone = [(engine, key) for key in known if key not in layers and key.partition(":")[0] in prefixes]
    database.executemany("INSERT OR REPLACE INTO layers VALUES (?, ?, ?)", changed)
    database.executemany("DELETE FROM layers WHERE engine = ? AND id = ?", gone)
