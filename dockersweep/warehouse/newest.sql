-- Which document counts for the present of each engine.

-- A host without a document is the engine with its id, or that it was before, where only one is known by it.
CREATE TABLE loaded.engines AS
WITH of_ids AS (
    SELECT engine_id, any_value(engine) AS engine
    FROM loaded.runs WHERE engine IS NOT NULL AND engine_id IS NOT NULL
    GROUP BY engine_id HAVING count(DISTINCT engine) = 1
), of_hosts AS (
    SELECT host, any_value(engine) AS engine
    FROM loaded.runs WHERE engine IS NOT NULL AND status IS NOT NULL
    GROUP BY host HAVING count(DISTINCT engine) = 1
)
SELECT run, coalesce(r.engine, i.engine, h.engine) AS engine, coalesce(r.engine, i.engine, h.engine, 'host ' || r.host) AS key
FROM loaded.runs r LEFT JOIN of_ids i USING (engine_id) LEFT JOIN of_hosts h ON h.host = r.host;

CREATE TABLE loaded.newest AS
SELECT r.run
FROM loaded.runs r JOIN loaded.engines e USING (run)
WHERE e.engine IS NOT NULL AND document IN ('report', 'inventory', 'plan')
QUALIFY row_number() OVER (
    PARTITION BY e.engine ORDER BY document = 'plan', made_at DESC NULLS LAST, document = 'report' DESC, r.run DESC
) = 1;
