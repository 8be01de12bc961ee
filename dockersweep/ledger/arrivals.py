"""Which images arrived on an engine lately and have, or last had, no tag."""

import sqlite3
from collections.abc import Iterator

from dockersweep.ledger.rows import instant, instant_or_none
from dockersweep.model.history import Life

_IMAGES = """
SELECT id, names, first_seen, first_seen_unused, NULL, 1 FROM objects
WHERE engine = ? AND kind = 'image' AND has_tag = 0 AND first_seen >= ?
UNION ALL SELECT id, names, first_seen, NULL, last_seen, 0 FROM former_objects
WHERE engine = ? AND kind = 'image' AND has_tag = 0 AND last_seen >= ? AND first_seen >= ?
"""


def dangling_since(database: sqlite3.Connection, engine: int, since: int) -> Iterator[Life]:
    """Yield the lives, begun at or after `since`, of images that have no tag, or had none when last seen."""
    for image_id, names, first_seen, unused, last_seen, is_there in database.execute(
        _IMAGES, (engine, since, engine, since, since)
    ).fetchall():
        yield Life(
            engine_name=None,
            kind="image",
            id=image_id,
            names=tuple(names.split("\n")) if names else (),
            first_seen_at=instant(first_seen),
            first_seen_unused_at=instant_or_none(unused),
            last_seen_at=instant_or_none(last_seen),
            is_there=bool(is_there),
        )
