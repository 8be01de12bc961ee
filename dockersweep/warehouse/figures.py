"""The figures of a fleet report that are sums over rows."""

from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from dockersweep.model.fleet_figures import Figures, HostFacts, LedgerFacts, UsagePoint
from dockersweep.model.fleet_report import FleetFinding, ImageUse, KindRemoved, RepositoryUse, SharedVolume
from dockersweep.model.plan import Interval
from dockersweep.model.quantities import LARGEST
from dockersweep.model.report import SHARES, Severity, ShareOfDisk
from dockersweep.warehouse.database import Warehouse

MOST = 100
"""The most repositories, images and volumes of a report."""
# The name of a host, with the beginning of its engine's id where others have the same name.
_LABELS = """
CREATE TEMP TABLE labels AS
SELECT coalesce(engine, 'host ' || host) AS key,
    CASE WHEN count(*) OVER (PARTITION BY host) = 1 THEN host
        ELSE host || ' (' || left(coalesce(engine_id, endpoint, '?'), 12) || ')' END AS label
FROM hosts;
CREATE TEMP VIEW present AS
SELECT o.*, l.label FROM objects o JOIN labels l ON l.key = o.engine WHERE o.is_newest;
"""
_HOSTS = """
SELECT l.label, h.*, coalesce(n.policy_source IS NOT NULL AND n.document <> 'plan', false) AS has_findings
FROM hosts h JOIN labels l ON l.key = coalesce(h.engine, 'host ' || h.host) LEFT JOIN runs n ON n.run = h.newest_run
"""
_LEDGERS = """
SELECT run, bytes_per_day, disk_bytes_per_day, full_in_days, full_in_days_soonest, full_in_days_latest, trend_points,
    trend_seconds
FROM runs WHERE is_newest
"""
_POINTS = """
SELECT engine, made_at, CASE WHEN used_low_bytes = used_high_bytes THEN used_high_bytes END AS used_bytes,
    disk_used_bytes, disk_free_bytes, size_base
FROM runs
WHERE document IN ('report', 'inventory') AND engine IS NOT NULL AND made_at IS NOT NULL
ORDER BY engine, made_at
"""
_SHARES = """
SELECT share, sum(objects), sum(in_use), sum(low_bytes),
    CASE WHEN count(high_bytes) = count(*) THEN sum(high_bytes) END,
    coalesce(sum(reclaimable_low_bytes), 0),
    CASE WHEN count(reclaimable_high_bytes) = count(*) THEN sum(reclaimable_high_bytes) END,
    sum(unused_low_bytes), CASE WHEN count(unused_high_bytes) = count(*) THEN sum(unused_high_bytes) END
FROM shares WHERE is_newest GROUP BY share
"""
_REPOSITORIES = f"""
SELECT repository AS name, count(DISTINCT engine) AS hosts, sum(images) AS images,
    coalesce(sum(size_bytes), 0) AS size_bytes, coalesce(sum(unused_bytes), 0) AS unused_bytes,
    count(*) FILTER (size_bytes IS NULL) AS unknown_hosts
FROM repositories WHERE is_newest
GROUP BY repository ORDER BY size_bytes DESC, name LIMIT {MOST}
"""
_IMAGES = f"""
SELECT id, mode(name ORDER BY name) AS name, count(DISTINCT engine) AS hosts,
    CASE WHEN count(in_use) = count(*) THEN count(*) FILTER (in_use) END AS in_use,
    max(size_bytes) AS size_bytes,
    CASE WHEN count(size_bytes) = count(*) THEN sum(size_bytes) END AS all_bytes
FROM present WHERE kind = 'image'
GROUP BY id HAVING count(DISTINCT engine) > 1
ORDER BY hosts DESC, all_bytes DESC NULLS LAST, id LIMIT {MOST}
"""
_VOLUMES = f"""
SELECT name, driver,
    list_sort(list(label) FILTER (in_use)) AS used_on,
    list_sort(list(label) FILTER (NOT in_use)) AS unused_on,
    list_sort(list(label) FILTER (goes)) AS goes_on
FROM present WHERE kind = 'volume' AND driver <> 'local'
GROUP BY name, driver HAVING count(DISTINCT engine) > 1
ORDER BY goes_on IS NOT NULL AND used_on IS NOT NULL DESC, used_on IS NOT NULL AND unused_on IS NOT NULL DESC,
    name, driver
LIMIT {MOST}
"""
_FINDINGS = """
SELECT finding AS id, arg_min(severity, rank) AS severity, arg_max(title, objects) AS title,
    list(label ORDER BY objects DESC, label) AS hosts, sum(objects) AS objects, sum(size_bytes) AS size_bytes
FROM (
    SELECT f.*, l.label, list_position(['critical', 'warning', 'note'], severity) AS rank
    FROM findings f JOIN labels l ON l.key = f.engine WHERE f.is_newest
)
GROUP BY finding ORDER BY min(rank), count(*) DESC, finding
"""
_SEVERITIES = """
SELECT run, severity, count(*) FROM findings WHERE is_newest GROUP BY run, severity
"""
_REMOVED = """
SELECT kind, count(*) FILTER (status = 'removed') AS removed,
    count(*) FILTER (status IN ('failed', 'not-attempted')) AS failed
FROM outcomes WHERE action = 'remove' GROUP BY kind ORDER BY kind
"""
_SPAN = """
SELECT count(*), min(made_at), max(made_at) FROM runs WHERE document IS NOT NULL
"""
Row = TypeVar("Row", bound=Struct)


def figures_of(warehouse: Warehouse) -> Figures:
    """Return the figures of all that a warehouse holds."""
    warehouse.connection.execute(_LABELS)
    [(documents, first_at, last_at)] = warehouse.rows(_SPAN)
    severities: dict[int, dict[Severity, int]] = {}
    for run, severity, count in warehouse.rows(_SEVERITIES):
        severities.setdefault(run, {})[severity] = count
    return Figures(
        documents=documents,
        first_at=_in_utc(first_at),
        last_at=_in_utc(last_at),
        hosts=_structs(warehouse, _HOSTS, HostFacts),
        ledgers={facts.run: facts for facts in _structs(warehouse, _LEDGERS, LedgerFacts)},
        points=_structs(warehouse, _POINTS, UsagePoint),
        severities=severities,
        shares=_shares(warehouse),
        repositories=_structs(warehouse, _REPOSITORIES, RepositoryUse),
        images=_structs(warehouse, _IMAGES, ImageUse),
        volumes=_structs(warehouse, _VOLUMES, SharedVolume),
        findings=_structs(warehouse, _FINDINGS, FleetFinding),
        removed=_structs(warehouse, _REMOVED, KindRemoved),
    )


def _shares(warehouse: Warehouse) -> tuple[ShareOfDisk, ...]:
    """Return the sums of all types, in their order."""
    of_share = {row[0]: [_bounded(value) for value in row[1:]] for row in warehouse.rows(_SHARES)}
    return tuple(_share(share, of_share.get(share)) for share in SHARES)


def _share(share: Any, sums: list[Any] | None) -> ShareOfDisk:
    count, in_use, low, high, reclaimable_low, reclaimable_high, unused_low, unused_high = sums or [0] * 8
    return ShareOfDisk(
        share=share,
        is_known=sums is not None,
        count=count,
        in_use=in_use,
        size=Interval(low_bytes=low, high_bytes=high),
        reclaimable=Interval(low_bytes=reclaimable_low, high_bytes=reclaimable_high),
        unused=Interval(low_bytes=unused_low, high_bytes=unused_high),
    )


def _structs(warehouse: Warehouse, sql: str, type_: type[Row]) -> tuple[Row, ...]:
    """Return what a query finds as structs, by the names of its columns."""
    found = warehouse.connection.execute(sql)
    names = [column[0] for column in found.description or ()]
    rows = ({name: _of_python(value) for name, value in zip(names, row, strict=True)} for row in found.fetchall())
    # A list of none is NULL in SQL.
    lists = {name for name, hint in type_.__annotations__.items() if hint == tuple[str, ...]}
    return tuple(
        msgspec.convert({name: () if value is None and name in lists else value for name, value in row.items()}, type_)
        for row in rows
    )


def _of_python(value: Any) -> Any:
    if isinstance(value, datetime):
        return _in_utc(value)
    return _bounded(value)


def _in_utc(instant: datetime | None) -> datetime | None:
    return None if instant is None else instant.replace(tzinfo=UTC)


def _bounded(value: Any) -> Any:
    """Return a sum as a document holds it: what is larger than any disk is no measurement."""
    return max(-LARGEST, min(value, LARGEST)) if isinstance(value, int) and not isinstance(value, bool) else value
