"""The steps from each version of the ledger to the next."""

import sqlite3
from collections.abc import Iterable

from dockersweep.ledger.schema import OF_SEVENTH, OF_THIRD, TABLES, VERSION, version_of
from dockersweep.ledger.transaction import transaction

_FIRST = """
CREATE TABLE seen (
    engine TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    first_seen_unused INTEGER,
    PRIMARY KEY (engine, kind, id)
) WITHOUT ROWID
"""

_SECOND = """
CREATE TABLE layers (
    engine TEXT NOT NULL,
    id TEXT NOT NULL,
    told BLOB NOT NULL,
    PRIMARY KEY (engine, id)
) WITHOUT ROWID
"""

# Older versions did not keep the time of the last scan; the youngest object stands in for it.
_FROM_SECOND = (
    "INSERT INTO engines (identity) SELECT engine FROM seen UNION SELECT engine FROM old_layers ORDER BY 1",
    "UPDATE engines SET looked_at = (SELECT max(first_seen) FROM seen WHERE engine = identity)",
    "UPDATE engines SET seen_at = looked_at, cache_seen_at = looked_at",
    """INSERT INTO objects SELECT number, kind, id, NULL, first_seen, first_seen_unused
    FROM seen JOIN engines ON identity = engine""",
    "INSERT INTO layers SELECT number, id, told FROM old_layers JOIN engines ON identity = engine",
    "DROP TABLE seen",
    "DROP TABLE old_layers",
)

_TWELVE_DIGITS = "[0-9a-f]" * 12
_FIRST_NAME = "substr(names, 1, instr(names || char(10), char(10)) - 1)"
# The name of an untagged image: a short id, or a repository with one. Older versions kept only the name.
_HAS_TAG = (
    f"CASE WHEN kind = 'image' THEN {_FIRST_NAME} NOT GLOB '{_TWELVE_DIGITS}' "
    f"AND {_FIRST_NAME} NOT GLOB '*@{_TWELVE_DIGITS}' END"
)
_FROM_SIXTH = (
    "ALTER TABLE objects RENAME TO old_objects",
    "ALTER TABLE former_objects RENAME TO old_former_objects",
    *OF_SEVENTH.values(),
    f"INSERT INTO objects SELECT engine, kind, id, names, first_seen, first_seen_unused, {_HAS_TAG} FROM old_objects",
    f"""INSERT INTO former_objects SELECT engine, kind, id, names, first_seen, last_seen, {_HAS_TAG}
    FROM old_former_objects ORDER BY rowid""",
    "DROP TABLE old_objects",
    # With its index.
    "DROP TABLE old_former_objects",
    TABLES["former_objects_by_age"],
)

_FROM_SEVENTH = (
    "ALTER TABLE engines RENAME TO old_engines",
    "ALTER TABLE objects RENAME TO old_objects",
    TABLES["engines"],
    TABLES["objects"],
    """INSERT INTO engines (number, identity, name, endpoint, looked_at, seen_at, cache_seen_at)
    SELECT number, identity, name, endpoint, looked_at, seen_at, cache_seen_at FROM old_engines""",
    "INSERT INTO objects SELECT engine, kind, id, names, first_seen, first_seen_unused, has_tag, NULL FROM old_objects",
    "DROP TABLE old_engines",
    "DROP TABLE old_objects",
    *(TABLES[name] for name in ("uses", "last_projects", "inherited_labels", "projects", "watched", "event_readings")),
    *(TABLES[name] for name in ("declared_files", "registry_answers")),
)

_FROM_EIGHTH = tuple(TABLES[name] for name in ("archived", "early_deletions", "definitions", "restorations"))

_FROM_NINTH = tuple(TABLES[name] for name in ("pending_events", "watchers"))

MIGRATIONS: dict[int, Iterable[str]] = {
    1: (_FIRST,),
    2: (_SECOND,),
    3: ("ALTER TABLE layers RENAME TO old_layers", *OF_THIRD.values(), *_FROM_SECOND),
    # Earlier sizes do not say which base they were counted in, so they cannot be compared.
    4: ("DROP TABLE sizes", TABLES["sizes"]),
    5: (TABLES["forgotten"],),
    6: (TABLES["refusals"],),
    7: _FROM_SIXTH,
    8: _FROM_SEVENTH,
    9: _FROM_EIGHTH,
    10: _FROM_NINTH,
}
"""Version -> the statements that lead to it from the version before; version 0 is an empty file."""


def migrate(database: sqlite3.Connection) -> None:
    """Bring the tables to the current version in one transaction: a process that is killed leaves the older version."""
    with transaction(database):
        # Another process may have migrated it since the version was read.
        for version in range(version_of(database) + 1, VERSION + 1):
            for statement in MIGRATIONS[version]:
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {VERSION}")
