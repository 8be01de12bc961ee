"""The tables of the ledger, version by version, and the steps from each version to the next.

Instants are whole seconds since 1970 in UTC, bytes are integers, NULL is unknown.
"""

import sqlite3
from collections.abc import Iterable

from dockersweep.ledger.transaction import transaction

VERSION = 6
FIRST_WITH_RUNS = 3
"""The version from which on runs are written down, in tables that have not changed since."""

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

_OF_THIRD = {
    # looked_at is NULL until a scan or a permitted sweep has shown the engine to somebody; seen_at and cache_seen_at
    # tell when its objects, and its build cache, were last read.
    "engines": """
CREATE TABLE engines (
    number INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    name TEXT,
    endpoint TEXT,
    looked_at INTEGER,
    seen_at INTEGER,
    cache_seen_at INTEGER
)""",
    # What is there. names holds one name a line: the present ones first, then those that it had before.
    "objects": """
CREATE TABLE objects (
    engine INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    names TEXT,
    first_seen INTEGER NOT NULL,
    first_seen_unused INTEGER,
    PRIMARY KEY (engine, kind, id)
) WITHOUT ROWID""",
    # What was there. An object that comes back begins a new life and leaves the former one here.
    "former_objects": """
CREATE TABLE former_objects (
    engine INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    names TEXT,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL
)""",
    "former_objects_by_age": "CREATE INDEX former_objects_by_age ON former_objects (last_seen)",
    "layers": """
CREATE TABLE layers (
    engine INTEGER NOT NULL,
    id TEXT NOT NULL,
    told BLOB NOT NULL,
    PRIMARY KEY (engine, id)
) WITHOUT ROWID""",
    "marks": """
CREATE TABLE marks (
    engine INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    rule TEXT NOT NULL,
    terms TEXT NOT NULL,
    marked_at INTEGER NOT NULL,
    PRIMARY KEY (engine, kind, id, rule, terms)
) WITHOUT ROWID""",
    # base is what the size was counted in: 'disk' or 'lengths'.
    "sizes": """
CREATE TABLE sizes (
    engine INTEGER NOT NULL,
    share TEXT NOT NULL,
    base TEXT NOT NULL,
    at INTEGER NOT NULL,
    objects INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (engine, share, base, at)
) WITHOUT ROWID""",
    # state is 'open', 'ended' or 'did not end'. Numbers are never used again, so that they can be written down.
    "runs": """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    engine INTEGER NOT NULL,
    verb TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    user TEXT NOT NULL,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL,
    policy_source TEXT,
    policy_sha256 TEXT,
    state TEXT NOT NULL DEFAULT 'open',
    finished_at INTEGER,
    exit_status INTEGER,
    note TEXT,
    ended_early TEXT,
    low_bytes INTEGER,
    high_bytes INTEGER,
    measured_bytes INTEGER
)""",
    "runs_by_age": "CREATE INDEX runs_by_age ON runs (started_at)",
    "open_runs": "CREATE INDEX open_runs ON runs (engine) WHERE state = 'open'",
    # What was to be removed: written once, before the first request. reasons and recognition are JSON.
    "removals": """
CREATE TABLE removals (
    run INTEGER NOT NULL,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    action TEXT NOT NULL,
    reasons TEXT NOT NULL,
    size_bytes INTEGER,
    low_bytes INTEGER NOT NULL,
    high_bytes INTEGER,
    recognition TEXT NOT NULL,
    PRIMARY KEY (run, position)
) WITHOUT ROWID""",
    # What became of it, apart so that a write before and one after each request touch one small page. A row without a
    # status was sent and is in hand; one without ended_at got its status when a later run looked again.
    "outcomes": """
CREATE TABLE outcomes (
    run INTEGER NOT NULL,
    position INTEGER NOT NULL,
    sent_at INTEGER,
    status TEXT,
    detail TEXT,
    freed_bytes INTEGER,
    ended_at INTEGER,
    PRIMARY KEY (run, position)
) WITHOUT ROWID""",
    # Removals that failed in every run that tried them, up to the last.
    "failures": """
CREATE TABLE failures (
    engine INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    action TEXT NOT NULL,
    name TEXT NOT NULL,
    runs INTEGER NOT NULL,
    since INTEGER NOT NULL,
    last_run INTEGER NOT NULL,
    PRIMARY KEY (engine, kind, id, action, name)
) WITHOUT ROWID""",
}

TABLES = {
    **_OF_THIRD,
    # What the runs that are forgotten had given back: a counter of what all runs gave back must never fall.
    "forgotten": """
CREATE TABLE forgotten (
    engine INTEGER PRIMARY KEY,
    measured_bytes INTEGER NOT NULL
)""",
    # Removals that the engine refused in every run that tried them, up to the last. gist is text without ids and
    # numbers: runs counts how often in a row it was the same.
    "refusals": """
CREATE TABLE refusals (
    engine INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    action TEXT NOT NULL,
    name TEXT NOT NULL,
    gist TEXT NOT NULL,
    text TEXT NOT NULL,
    runs INTEGER NOT NULL,
    last_run INTEGER NOT NULL,
    refused_at INTEGER NOT NULL,
    PRIMARY KEY (engine, kind, id, action, name)
) WITHOUT ROWID""",
}
"""The statements that made what a ledger of this version holds, by the name of the table or index."""

# The moment of the last scan was not kept before, so the youngest object has to stand for it.
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

MIGRATIONS: dict[int, Iterable[str]] = {
    1: (_FIRST,),
    2: (_SECOND,),
    3: ("ALTER TABLE layers RENAME TO old_layers", *_OF_THIRD.values(), *_FROM_SECOND),
    # The sizes of before do not tell what they were counted in, so that no two of them can be compared.
    4: ("DROP TABLE sizes", TABLES["sizes"]),
    5: (TABLES["forgotten"],),
    6: (TABLES["refusals"],),
}
"""What leads to each version from the one before it; 0 is an empty file."""


def migrate(database: sqlite3.Connection) -> None:
    """Bring the tables to the present version, in one step: whoever is killed meanwhile leaves the older one."""
    with transaction(database):
        # Another process may have done it since the version was read.
        for version in range(version_of(database) + 1, VERSION + 1):
            for statement in MIGRATIONS[version]:
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {VERSION}")


def version_of(database: sqlite3.Connection) -> int:
    """Return the version that the file says it has; 0 where it is empty."""
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version


def what_differs(database: sqlite3.Connection) -> str | None:
    """Return what is not as the present version says, like "no table runs"; None where all is."""
    found = dict(database.execute("SELECT name, sql FROM sqlite_master"))
    for name, statement in TABLES.items():
        what = "index" if statement.startswith("CREATE INDEX") else "table"
        if name not in found:
            return f"no {what} {name}"
        if found[name] != statement.strip():
            return f"another {what} {name}"
    return None
