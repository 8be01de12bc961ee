"""The memory between runs: when each object of each engine was first seen, and first seen unused.

No engine tells when an image that was pulled or loaded arrived (engine-api.md §4), so without this file a dangling
image would never become old. It is a SQLite file in `$DOCKERSWEEP_STATE_DIR`, else /var/lib/dockersweep for root, else
`$XDG_STATE_HOME/dockersweep`; folder 0700, file 0600.
"""

import contextlib
import os
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from dockersweep.model.inventory import KINDS, Engine, Inventory, Object, ScanWarning
from dockersweep.model.naming import engine_identity, objects_of, ref_of
from dockersweep.model.plan import ObjectRef

VERSION = 2
FILE_NAME = "ledger.sqlite3"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS seen (
    engine TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    first_seen_unused INTEGER,
    PRIMARY KEY (engine, kind, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS layers (
    engine TEXT NOT NULL,
    id TEXT NOT NULL,
    told BLOB NOT NULL,
    PRIMARY KEY (engine, id)
) WITHOUT ROWID
"""


@dataclass(frozen=True)
class _Memory:
    first_seen: int
    first_seen_unused: int | None


def state_folder(environment: Mapping[str, str], user_id: int) -> Path:
    """Return the folder for what must be remembered between runs; it need not exist."""
    if environment.get("DOCKERSWEEP_STATE_DIR"):
        return Path(environment["DOCKERSWEEP_STATE_DIR"])
    if user_id == 0:
        return Path("/var/lib/dockersweep")
    if environment.get("XDG_STATE_HOME"):
        return Path(environment["XDG_STATE_HOME"]) / "dockersweep"
    return Path(environment.get("HOME") or "/nonexistent") / ".local" / "state" / "dockersweep"


def remember(
    inventory: Inventory, used: Collection[ObjectRef], now: datetime, folder: Path, writes: bool = True
) -> Inventory:
    """Write down what is there, and return the inventory with what was known of it before.

    `used` are the objects that something holds. Without `writes` the file is only read: an instant that somebody chose
    must not become a memory. What is no longer there is forgotten, so that an image that comes back is young again.
    Where the file cannot be read or written the inventory gets a warning, and nothing else depends on it.
    """
    try:
        with contextlib.closing(_open(folder)) as database, database:
            memories = _update(database, inventory, used, int(now.timestamp()))
            if not writes:
                database.rollback()
        return _with_memories(inventory, memories)
    except (OSError, sqlite3.Error, _NewerLedgerError, ValueError, TypeError, OverflowError) as error:
        # The last three are what rows hold that no version of this wrote.
        text = f"{folder / FILE_NAME} cannot be used: {error}; what was first seen when is not known"
        warning = ScanWarning(about="ledger", text=text)
        return msgspec.structs.replace(inventory, warnings=(*inventory.warnings, warning))


def recall_layers(engine: Engine, folder: Path) -> dict[str, bytes]:
    """Return what `keep_layers` kept of an engine; nothing where the file cannot be read."""
    try:
        with contextlib.closing(_open(folder)) as database:
            rows = _layers(database, engine_identity(engine))
            return {one: told for one, told in rows if isinstance(one, str) and isinstance(told, bytes)}
    except (OSError, sqlite3.Error, _NewerLedgerError):
        return {}


def keep_layers(engine: Engine, layers: Mapping[str, bytes], folder: Path) -> None:
    """Keep what never changes of an engine's layers, in place of what was kept before of ids that begin alike (up to
    the first colon): a scan tells either of layers or of images.

    Nothing depends on it but time, so that a file that cannot be written is passed over: `remember` tells of it.
    """
    identity = engine_identity(engine)
    unusable = contextlib.suppress(OSError, sqlite3.Error, _NewerLedgerError)
    with unusable, contextlib.closing(_open(folder)) as database, database:
        database.execute("BEGIN IMMEDIATE")
        known = dict(_layers(database, identity))
        changed = [(identity, one, told) for one, told in layers.items() if known.get(one) != told]
        told = {one.partition(":")[0] for one in layers}
        gone = [(identity, one) for one in known if one not in layers and one.partition(":")[0] in told]
        database.executemany("INSERT OR REPLACE INTO layers VALUES (?, ?, ?)", changed)
        database.executemany("DELETE FROM layers WHERE engine = ? AND id = ?", gone)


def _layers(database: sqlite3.Connection, engine: str) -> Iterator[tuple[str, bytes]]:
    yield from database.execute("SELECT id, told FROM layers WHERE engine = ?", (engine,))


class _NewerLedgerError(Exception):
    pass


def _open(folder: Path) -> sqlite3.Connection:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / FILE_NAME
    # SQLite would create it readable for all.
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    database = sqlite3.connect(file, timeout=5, isolation_level="IMMEDIATE")
    try:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise _NewerLedgerError(f"it was written by a newer dockersweep (version {version})")
        if version < VERSION:
            database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA}; PRAGMA user_version = {VERSION}; COMMIT")
    except BaseException:
        database.close()
        raise
    return database


def _update(
    database: sqlite3.Connection, inventory: Inventory, used: Collection[ObjectRef], now: int
) -> dict[ObjectRef, _Memory]:
    engine = engine_identity(inventory.engine)
    database.execute("BEGIN IMMEDIATE")
    known = dict(_rows(database, engine))
    memories = {
        ref_of(seen): _remembered(known.get(ref_of(seen)), ref_of(seen) in used, now) for seen in _all(inventory)
    }
    changed = [(ref, memory) for ref, memory in memories.items() if known.get(ref) != memory]
    database.executemany(
        "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?)",
        [(engine, ref.kind, ref.id, memory.first_seen, memory.first_seen_unused) for ref, memory in changed],
    )
    unread = {"build-cache"} if inventory.build_cache is None else set()
    forgotten = [ref for ref in known if ref not in memories and ref.kind not in unread]
    database.executemany(
        "DELETE FROM seen WHERE engine = ? AND kind = ? AND id = ?", [(engine, ref.kind, ref.id) for ref in forgotten]
    )
    return memories


def _rows(database: sqlite3.Connection, engine: str) -> Iterator[tuple[ObjectRef, _Memory]]:
    rows = database.execute("SELECT kind, id, first_seen, first_seen_unused FROM seen WHERE engine = ?", (engine,))
    for kind, object_id, first_seen, first_seen_unused in rows:
        yield ObjectRef(kind=kind, id=object_id), _Memory(first_seen, first_seen_unused)


def _remembered(known: _Memory | None, is_used: bool, now: int) -> _Memory:
    if known is None:
        return _Memory(now, None if is_used else now)
    if is_used:
        return _Memory(known.first_seen, None)
    return _Memory(known.first_seen, now if known.first_seen_unused is None else known.first_seen_unused)


def _all(inventory: Inventory) -> Iterator[Object]:
    return (seen for kind in KINDS for seen in objects_of(inventory, kind))


def _with_memories(inventory: Inventory, memories: Mapping[ObjectRef, _Memory]) -> Inventory:
    def recall(seen: Object) -> Object:
        memory = memories[ref_of(seen)]
        return msgspec.structs.replace(
            seen,
            first_seen_at=datetime.fromtimestamp(memory.first_seen, UTC),
            first_seen_unused_at=None
            if memory.first_seen_unused is None
            else datetime.fromtimestamp(memory.first_seen_unused, UTC),
        )

    return msgspec.structs.replace(
        inventory,
        containers=tuple(map(recall, inventory.containers)),
        images=tuple(map(recall, inventory.images)),
        volumes=tuple(map(recall, inventory.volumes)),
        networks=tuple(map(recall, inventory.networks)),
        build_cache=None if inventory.build_cache is None else tuple(map(recall, inventory.build_cache)),
    )
