"""The tables of the ledger.

Instants are whole seconds since 1970 in UTC, bytes are integers, NULL is unknown.
"""

import sqlite3

VERSION = 10
FIRST_WITH_RUNS = 3
"""The first version that records runs; its tables have only gained since."""
FIRST_WITH_RESTORATIONS = 9
"""The first version that records what is archived and what is restored."""

OF_THIRD = {
    # looked_at is NULL until a person may have looked at the engine on a terminal; seen_at and cache_seen_at say when
    # its objects, and its build cache, were last read.
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
    # Present objects. names holds one name a line: the current ones first, then former ones.
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
    # Former objects. One that comes back begins a new life and leaves the former one here.
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
    # base is how the size was counted: 'disk' or 'lengths'.
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
    # state is 'open', 'ended' or 'did not end'. Numbers are never reused, so people can refer to them.
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
    # Planned removals, written once, before the first request. reasons and recognition are JSON.
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
    # Their outcomes, in a table of their own so that the writes before and after each request touch one small page. A
    # row without a status was sent and has no answer yet; one without ended_at got its status from a later run.
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

OF_SEVENTH = {
    # has_tag says whether an image had a tag when it was last seen; NULL for other kinds.
    "objects": """
CREATE TABLE objects (
    engine INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    names TEXT,
    first_seen INTEGER NOT NULL,
    first_seen_unused INTEGER,
    has_tag INTEGER,
    PRIMARY KEY (engine, kind, id)
) WITHOUT ROWID""",
    "former_objects": """
CREATE TABLE former_objects (
    engine INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    names TEXT,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    has_tag INTEGER
)""",
}

TABLES = {
    **OF_THIRD,
    **OF_SEVENTH,
    # scans counts the recorded scans.
    "engines": """
CREATE TABLE engines (
    number INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    name TEXT,
    endpoint TEXT,
    looked_at INTEGER,
    seen_at INTEGER,
    cache_seen_at INTEGER,
    scans INTEGER NOT NULL DEFAULT 0
)""",
    # unused_scan is the number of the scan that first saw the object unused; NULL if scans were not counted then.
    "objects": """
CREATE TABLE objects (
    engine INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    names TEXT,
    first_seen INTEGER NOT NULL,
    first_seen_unused INTEGER,
    has_tag INTEGER,
    unused_scan INTEGER,
    PRIMARY KEY (engine, kind, id)
) WITHOUT ROWID""",
    # The last few uses of each present object, the latest first, as a JSON list.
    "uses": """
CREATE TABLE uses (
    engine INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    told BLOB NOT NULL,
    PRIMARY KEY (engine, kind, id)
) WITHOUT ROWID""",
    # The compose projects whose containers held an object last; certain says whether the containers were surely theirs.
    "last_projects": """
CREATE TABLE last_projects (
    engine INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    project TEXT NOT NULL,
    service TEXT,
    container TEXT,
    at INTEGER NOT NULL,
    certain INTEGER NOT NULL,
    PRIMARY KEY (engine, kind, id, project)
) WITHOUT ROWID""",
    # Images that were seen to inherit their project label from another image.
    "inherited_labels": """
CREATE TABLE inherited_labels (
    engine INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (engine, kind, id)
) WITHOUT ROWID""",
    # Compose projects that had a container; config_files is one path a line. has_services is false if all containers
    # came from `compose run`.
    "projects": """
CREATE TABLE projects (
    engine INTEGER NOT NULL,
    project TEXT NOT NULL,
    working_dir TEXT,
    config_files TEXT,
    container_at INTEGER NOT NULL,
    has_services INTEGER NOT NULL,
    PRIMARY KEY (engine, project)
) WITHOUT ROWID""",
    # Spans in which a use would have been noticed; of_held is 1 if that includes uses of volumes and networks.
    "watched": """
CREATE TABLE watched (
    engine INTEGER NOT NULL,
    begins INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    of_held INTEGER NOT NULL,
    PRIMARY KEY (engine, begins)
) WITHOUT ROWID""",
    # How far the events of an engine were last read: a JSON document.
    "event_readings": """
CREATE TABLE event_readings (
    engine INTEGER PRIMARY KEY,
    position TEXT NOT NULL
)""",
    # Readings of compose files and quadlets, with the state of every file that was followed, as JSON.
    "declared_files": """
CREATE TABLE declared_files (
    place TEXT PRIMARY KEY,
    told BLOB NOT NULL,
    read_at INTEGER NOT NULL
) WITHOUT ROWID""",
    # What registries answered about an image: question is all names that were asked for, one a line, reference the one
    # under which a registry has it, NULL if none has it.
    "registry_answers": """
CREATE TABLE registry_answers (
    engine INTEGER NOT NULL,
    image TEXT NOT NULL,
    question TEXT NOT NULL,
    reference TEXT,
    asked_at INTEGER NOT NULL,
    PRIMARY KEY (engine, image)
) WITHOUT ROWID""",
    # What forgotten runs had freed: the metric for what all runs freed is a counter and must never fall.
    "forgotten": """
CREATE TABLE forgotten (
    engine INTEGER PRIMARY KEY,
    measured_bytes INTEGER NOT NULL
)""",
    # Removals that the engine refused in every run that tried them, up to the last. gist is the text without ids and
    # numbers; runs counts how often in a row it was the same.
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
    # What a run has put into an archive before it removed it. folder is the archive's, path that of the run in it.
    "archived": """
CREATE TABLE archived (
    run INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    folder TEXT NOT NULL,
    path TEXT NOT NULL,
    size_bytes INTEGER,
    archived_at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (run, kind, id)
) WITHOUT ROWID""",
    # Runs that a run has deleted from the archive before their time; path is the folder of the deleted run, of_run its
    # number, objects JSON: how many of each kind.
    "early_deletions": """
CREATE TABLE early_deletions (
    run INTEGER NOT NULL,
    folder TEXT NOT NULL,
    path TEXT NOT NULL,
    of_run INTEGER,
    objects TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (run, folder, path)
) WITHOUT ROWID""",
    # The inspect document of what was removed, where that is all it takes to make it again: networks.
    "definitions": """
CREATE TABLE definitions (
    run INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (run, kind, id)
) WITHOUT ROWID""",
    # What a run of `restore` was to make again, written before the first request. of_run is the run that removed it.
    # A row without a status had not ended when the run did.
    "restorations": """
CREATE TABLE restorations (
    run INTEGER NOT NULL,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    as_name TEXT NOT NULL,
    action TEXT NOT NULL,
    of_run INTEGER,
    status TEXT,
    detail TEXT,
    new_id TEXT,
    ended_at INTEGER,
    PRIMARY KEY (run, position)
) WITHOUT ROWID""",
    # Events that a watcher received and no scan has made uses of yet: of those that differ only in their time the last,
    # with how many there were. other is what one is about besides id, see EngineEvent.other; told is JSON.
    "pending_events": """
CREATE TABLE pending_events (
    engine INTEGER NOT NULL,
    type TEXT NOT NULL,
    id TEXT NOT NULL,
    action TEXT NOT NULL,
    other TEXT NOT NULL,
    at_nanos INTEGER NOT NULL,
    times INTEGER NOT NULL,
    told BLOB NOT NULL,
    PRIMARY KEY (engine, type, id, action, other)
) WITHOUT ROWID""",
    # When a watcher last carried out the rules by its schedule.
    "watchers": """
CREATE TABLE watchers (
    engine INTEGER PRIMARY KEY,
    scheduled_at INTEGER
)""",
}
"""The statements that create a ledger of this version, by the name of the table or index."""


def version_of(database: sqlite3.Connection) -> int:
    """Return the version that the file says it has; 0 where it is empty."""
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version


def what_differs(database: sqlite3.Connection) -> str | None:
    """Return the first difference from the current version, like "no table runs"; None where there is none."""
    statements = dict(database.execute("SELECT name, sql FROM sqlite_master"))
    for name, statement in TABLES.items():
        what = "index" if statement.startswith("CREATE INDEX") else "table"
        if name not in statements:
            return f"no {what} {name}"
        if statements[name] != statement.strip():
            return f"another {what} {name}"
    return None
