-- The views that dockersweep(1) describes, over what was loaded.

CREATE VIEW runs AS
SELECT r.* REPLACE (e.engine AS engine), n.run IS NOT NULL AS is_newest
FROM loaded.runs r JOIN loaded.engines e USING (run) LEFT JOIN loaded.newest n USING (run);

CREATE VIEW objects AS
SELECT r.host, r.engine, r.made_at, r.is_newest, o.* FROM loaded.objects o JOIN runs r USING (run);

CREATE VIEW images AS
SELECT * EXCLUDE (kind, driver) FROM objects WHERE kind = 'image';

CREATE VIEW volumes AS
SELECT * EXCLUDE (kind, id, repository, tags) FROM objects WHERE kind = 'volume';

CREATE VIEW shares AS
SELECT r.host, r.engine, r.made_at, r.is_newest, r.size_base, s.* FROM loaded.shares s JOIN runs r USING (run);

CREATE VIEW repositories AS
SELECT r.host, r.engine, r.made_at, r.is_newest, p.* FROM loaded.repositories p JOIN runs r USING (run);

CREATE VIEW findings AS
SELECT r.host, r.engine, r.made_at, r.is_newest, f.* FROM loaded.findings f JOIN runs r USING (run);

CREATE VIEW removals AS
SELECT r.host, r.engine, r.made_at, m.* EXCLUDE (status, detail, freed_bytes, archived_bytes)
FROM loaded.removals m JOIN runs r USING (run) WHERE r.document = 'plan';

CREATE VIEW outcomes AS
SELECT r.host, r.engine, r.made_at, m.* EXCLUDE (low_bytes, high_bytes)
FROM loaded.removals m JOIN runs r USING (run) WHERE r.document = 'outcome';

CREATE VIEW hosts AS
WITH told AS (
    SELECT r.*, e.key FROM runs r JOIN loaded.engines e USING (run)
), folded AS (
    SELECT
        key,
        any_value(engine) AS engine,
        -- What people call it comes before what it calls itself.
        coalesce(arg_max(host, made_at) FILTER (status IS NOT NULL), arg_max(host, made_at), any_value(host)) AS host,
        list_sort(list(DISTINCT host) FILTER (status IS NOT NULL)) AS names,
        count(document) AS documents,
        arg_max({endpoint: coalesce(endpoint, address), engine_id: engine_id}, made_at) AS reached,
        arg_max({flavour: flavour, version: version}, made_at) FILTER (version IS NOT NULL) AS made,
        max(made_at) FILTER (document IN ('report', 'inventory', 'plan')) AS taken_at,
        arg_max({status: status, message: message}, made_at) FILTER (status IS NOT NULL) AS fleet,
        arg_max({low: used_low_bytes, high: used_high_bytes}, made_at) FILTER (used_low_bytes IS NOT NULL) AS used,
        arg_max({low: reclaimable_low_bytes, high: reclaimable_high_bytes}, made_at)
            FILTER (reclaimable_low_bytes IS NOT NULL) AS reclaimable,
        arg_max({low: unused_low_bytes, high: unused_high_bytes}, made_at)
            FILTER (unused_low_bytes IS NOT NULL) AS unused,
        arg_max({total: disk_total_bytes, used: disk_used_bytes, free: disk_free_bytes}, made_at)
            FILTER (disk_total_bytes IS NOT NULL) AS disk,
        sum(freed_bytes)::BIGINT AS freed_bytes,
        coalesce(sum(failed), 0)::BIGINT AS failed
    FROM told GROUP BY key
)
SELECT
    host, coalesce(list_filter(names, lambda name: name <> host), []) AS also, engine, coalesce(reached.engine_id, newest.engine_id) AS engine_id,
    reached.endpoint AS endpoint, made.flavour AS flavour, made.version AS version, documents, taken_at,
    fleet.status AS status, fleet.message AS message,
    used.low AS used_low_bytes, used.high AS used_high_bytes,
    reclaimable.low AS reclaimable_low_bytes, reclaimable.high AS reclaimable_high_bytes,
    unused.low AS unused_low_bytes, unused.high AS unused_high_bytes,
    disk.total AS disk_total_bytes, disk.used AS disk_used_bytes, disk.free AS disk_free_bytes,
    freed_bytes, failed, newest.run AS newest_run
FROM folded LEFT JOIN (SELECT engine, run, engine_id FROM runs WHERE is_newest) newest USING (engine);
