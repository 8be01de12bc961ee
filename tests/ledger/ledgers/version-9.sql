BEGIN TRANSACTION;
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
) WITHOUT ROWID;
INSERT INTO "archived" VALUES(1,'volume','v0','v0','/srv/archive','engine/run-1',5,1795521600,1798113600);
CREATE TABLE declared_files (
    place TEXT PRIMARY KEY,
    told BLOB NOT NULL,
    read_at INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "declared_files" VALUES('/srv/shop/compose.yaml',X'7B7D',1795608000);
CREATE TABLE definitions (
    run INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (run, kind, id)
) WITHOUT ROWID;
INSERT INTO "definitions" VALUES(1,'network','n0',X'7B7D');
CREATE TABLE early_deletions (
    run INTEGER NOT NULL,
    folder TEXT NOT NULL,
    path TEXT NOT NULL,
    of_run INTEGER,
    objects TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (run, folder, path)
) WITHOUT ROWID;
INSERT INTO "early_deletions" VALUES(2,'/srv/archive','engine/run-0',0,'{"volume":1}',1798113600);
CREATE TABLE engines (
    number INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    name TEXT,
    endpoint TEXT,
    looked_at INTEGER,
    seen_at INTEGER,
    cache_seen_at INTEGER,
    scans INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "engines" VALUES(1,'ENGINE /var/lib/docker box','box','unix:///run/test.sock',1795694400,1795694400,1795694400,0);
INSERT INTO "engines" VALUES(2,'OTHER /var/lib/docker box','box','unix:///run/test.sock',NULL,NULL,NULL,0);
CREATE TABLE event_readings (
    engine INTEGER PRIMARY KEY,
    position TEXT NOT NULL
);
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
) WITHOUT ROWID;
INSERT INTO "failures" VALUES(1,'volume','w','remove','w',3,1795521600,3);
CREATE TABLE forgotten (
    engine INTEGER PRIMARY KEY,
    measured_bytes INTEGER NOT NULL
);
INSERT INTO "forgotten" VALUES(1,3);
CREATE TABLE former_objects (
    engine INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    names TEXT,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    has_tag INTEGER
);
INSERT INTO "former_objects" VALUES(1,'image','sha256:c','app@0123456789ab
app:1',1795608000,1795608000,0);
INSERT INTO "former_objects" VALUES(1,'image','sha256:d','app:2',1795608000,1795608000,1);
INSERT INTO "former_objects" VALUES(1,'volume','v','v',1795521600,1795521600,NULL);
INSERT INTO "former_objects" VALUES(1,'volume','v0','v0',1795608000,1795608000,NULL);
CREATE TABLE inherited_labels (
    engine INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (engine, kind, id)
) WITHOUT ROWID;
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
) WITHOUT ROWID;
INSERT INTO "last_projects" VALUES(1,'volume','w','shop','db','shop-db-1',1795608000,1);
CREATE TABLE layers (
    engine INTEGER NOT NULL,
    id TEXT NOT NULL,
    told BLOB NOT NULL,
    PRIMARY KEY (engine, id)
) WITHOUT ROWID;
INSERT INTO "layers" VALUES(1,'layer:a',X'00FF');
CREATE TABLE marks (
    engine INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    rule TEXT NOT NULL,
    terms TEXT NOT NULL,
    marked_at INTEGER NOT NULL,
    PRIMARY KEY (engine, kind, id, rule, terms)
) WITHOUT ROWID;
INSERT INTO "marks" VALUES(1,'volume','w','r','t',1795521600);
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
) WITHOUT ROWID;
INSERT INTO "objects" VALUES(1,'image','sha256:a','0123456789ab',1795694400,1795694400,0,NULL);
INSERT INTO "objects" VALUES(1,'image','sha256:b','app@0123456789abc',1795694400,1795694400,1,NULL);
INSERT INTO "objects" VALUES(1,'volume','v1','v1',1795694400,1795694400,NULL,NULL);
INSERT INTO "objects" VALUES(1,'volume','w','w',1795521600,1795521600,NULL,NULL);
CREATE TABLE outcomes (
    run INTEGER NOT NULL,
    position INTEGER NOT NULL,
    sent_at INTEGER,
    status TEXT,
    detail TEXT,
    freed_bytes INTEGER,
    ended_at INTEGER,
    PRIMARY KEY (run, position)
) WITHOUT ROWID;
INSERT INTO "outcomes" VALUES(1,0,1795633814,'removed',NULL,3,1795633814);
INSERT INTO "outcomes" VALUES(1,1,1795633814,'failed',NULL,NULL,1795633814);
INSERT INTO "outcomes" VALUES(2,0,1795633814,'removed',NULL,3,1795633814);
INSERT INTO "outcomes" VALUES(2,1,1795633814,'failed',NULL,NULL,1795633814);
INSERT INTO "outcomes" VALUES(3,0,1795633814,'removed',NULL,3,1795633814);
INSERT INTO "outcomes" VALUES(3,1,1795633814,'failed',NULL,NULL,1795633814);
CREATE TABLE projects (
    engine INTEGER NOT NULL,
    project TEXT NOT NULL,
    working_dir TEXT,
    config_files TEXT,
    container_at INTEGER NOT NULL,
    has_services INTEGER NOT NULL,
    PRIMARY KEY (engine, project)
) WITHOUT ROWID;
INSERT INTO "projects" VALUES(1,'shop','/srv/shop','/srv/shop/compose.yaml',1795608000,1);
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
) WITHOUT ROWID;
INSERT INTO "refusals" VALUES(1,'volume','w','remove','w','in use','In use',3,3,1795521600);
CREATE TABLE registry_answers (
    engine INTEGER NOT NULL,
    image TEXT NOT NULL,
    question TEXT NOT NULL,
    reference TEXT,
    asked_at INTEGER NOT NULL,
    PRIMARY KEY (engine, image)
) WITHOUT ROWID;
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
) WITHOUT ROWID;
INSERT INTO "removals" VALUES(1,0,'volume','v','v','remove','[["old-enough","anonymous volumes","created 10 days ago, over 24 hours"]]',10,10,10,'{"driver":"local","options":{},"labels":{},"mountpoint":"/var/lib/docker/volumes/v/_data"}');
INSERT INTO "removals" VALUES(1,1,'volume','w','w','remove','[["old-enough","anonymous volumes","created 10 days ago, over 24 hours"]]',10,10,10,'{"driver":"local","options":{},"labels":{},"mountpoint":"/var/lib/docker/volumes/w/_data"}');
INSERT INTO "removals" VALUES(2,0,'volume','v0','v0','remove','[["old-enough","anonymous volumes","created 10 days ago, over 24 hours"]]',10,10,10,'{"driver":"local","options":{},"labels":{},"mountpoint":"/var/lib/docker/volumes/v0/_data"}');
INSERT INTO "removals" VALUES(2,1,'volume','w','w','remove','[["old-enough","anonymous volumes","created 10 days ago, over 24 hours"]]',10,10,10,'{"driver":"local","options":{},"labels":{},"mountpoint":"/var/lib/docker/volumes/w/_data"}');
INSERT INTO "removals" VALUES(3,0,'volume','v1','v1','remove','[["old-enough","anonymous volumes","created 10 days ago, over 24 hours"]]',10,10,10,'{"driver":"local","options":{},"labels":{},"mountpoint":"/var/lib/docker/volumes/v1/_data"}');
INSERT INTO "removals" VALUES(3,1,'volume','w','w','remove','[["old-enough","anonymous volumes","created 10 days ago, over 24 hours"]]',10,10,10,'{"driver":"local","options":{},"labels":{},"mountpoint":"/var/lib/docker/volumes/w/_data"}');
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
) WITHOUT ROWID;
INSERT INTO "restorations" VALUES(4,0,'volume','v0','v0','v0','create',1,'restored',NULL,NULL,1795521600);
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
);
INSERT INTO "runs" VALUES(1,1,'sweep',1795521600,'root',4000000,'0.1.0','the default policy','abababababababababababababababababababababababababababababababab','ended',1795521600,3,NULL,'interrupted',1,1,40);
INSERT INTO "runs" VALUES(2,1,'sweep',1795608000,'root',4000000,'0.1.0','the default policy','abababababababababababababababababababababababababababababababab','ended',1795608000,3,NULL,'interrupted',1,1,NULL);
INSERT INTO "runs" VALUES(3,1,'sweep',1795694400,'root',4000000,'0.1.0','the default policy','abababababababababababababababababababababababababababababababab','ended',1795694400,3,NULL,'interrupted',1,1,2);
INSERT INTO "runs" VALUES(4,2,'sweep',1795521600,'root',4000000,'0.1.0','the default policy','abababababababababababababababababababababababababababababababab','ended',1795521600,0,NULL,'interrupted',7,7,7);
CREATE TABLE sizes (
    engine INTEGER NOT NULL,
    share TEXT NOT NULL,
    base TEXT NOT NULL,
    at INTEGER NOT NULL,
    objects INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (engine, share, base, at)
) WITHOUT ROWID;
INSERT INTO "sizes" VALUES(1,'volume','disk',1795521600,1,2);
INSERT INTO "sizes" VALUES(1,'volume','disk',1795608000,1,2);
INSERT INTO "sizes" VALUES(1,'volume','disk',1795694400,1,2);
CREATE TABLE uses (
    engine INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    told BLOB NOT NULL,
    PRIMARY KEY (engine, kind, id)
) WITHOUT ROWID;
CREATE TABLE watched (
    engine INTEGER NOT NULL,
    begins INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    of_held INTEGER NOT NULL,
    PRIMARY KEY (engine, begins)
) WITHOUT ROWID;
CREATE INDEX runs_by_age ON runs (started_at);
CREATE INDEX open_runs ON runs (engine) WHERE state = 'open';
CREATE INDEX former_objects_by_age ON former_objects (last_seen);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('runs',4);
COMMIT;
