"""What the ledger makes of a clock that was ahead or behind, and of what was made again under its old name."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from dockersweep.ledger import FILE_NAME, Ledger
from dockersweep.model.event_reading import EventPosition, NoticedUses
from dockersweep.model.inventory import Inventory, Mark, ObjectRef, Volume
from dockersweep.model.last_use import PastUse, Span
from tests.rig.inventories import ENGINE, NOW, inventory, volume

DAY = timedelta(days=1)
AHEAD = NOW + 4_000 * DAY
V = ObjectRef(kind="volume", id="v")
MARK = Mark(kind="volume", id="v", rule="r", terms="t", marked_at=NOW)


def seen(folder: Path, at: datetime, *there: Volume, told: NoticedUses | None = None) -> Inventory:
    unknown = (replace(one, first_seen_at=None, first_seen_unused_at=None) for one in there)
    with Ledger(folder) as ledger:
        after = ledger.update_objects(inventory(*unknown), (), at, noticed=told)
        assert ledger.problem is None
        return after


def told(at: datetime, begin: datetime) -> NoticedUses:
    use = PastUse(at=at, action="mounted", by="job", by_id="j")
    position = EventPosition(ends_at=at, anchor=None)
    return NoticedUses(position=position, watched=Span(begins_at=begin, ends_at=at), uses={V: (use,)})


def marked(folder: Path, at: datetime) -> None:
    with Ledger(folder) as ledger:
        ledger.mark(ENGINE, (MARK,), (("r", "t"),), at)


def test_time_that_is_to_come_is_not_watched_when_a_clock_was_set_back(tmp_path: Path) -> None:
    seen(tmp_path, AHEAD, volume("v"), told=told(AHEAD, NOW - 9 * DAY))
    for days in (0, 1):
        after = seen(tmp_path, NOW + days * DAY, volume("v"))
        assert after.watched == (Span(begins_at=NOW - 9 * DAY, ends_at=NOW),)


def test_nothing_grows_old_while_a_clock_is_behind(tmp_path: Path) -> None:
    seen(tmp_path, NOW - DAY, volume("v"), told=told(NOW - DAY, NOW - 2 * DAY))
    marked(tmp_path, NOW - DAY)
    # As a machine without a battery does, before it asks the network.
    seen(tmp_path, NOW - 9_000 * DAY, volume("v"))
    after = seen(tmp_path, NOW, volume("v"))
    [known] = after.volumes
    assert (known.first_seen_at, known.first_seen_unused_at) == (NOW - DAY, NOW - DAY)
    assert [use.at for use in known.uses] == [NOW - DAY]
    assert after.marks == (replace(MARK, marked_at=NOW - DAY),)


def test_a_volume_that_was_made_again_since_the_last_scan_is_another(tmp_path: Path) -> None:
    before, again = volume("v", created=NOW - 50 * DAY), volume("v", created=NOW - timedelta(hours=1))
    other = volume("w", created=NOW - 50 * DAY)
    seen(tmp_path, NOW - 40 * DAY, before, other, told=told(NOW - 40 * DAY, NOW - 41 * DAY))
    marked(tmp_path, NOW - 40 * DAY)
    after = seen(tmp_path, NOW, again, other)
    assert [one.first_seen_unused_at for one in after.volumes] == [NOW, NOW - 40 * DAY]
    assert (after.volumes[0].uses, after.marks) == ((), ())
    # It is so once, and not in each run.
    assert seen(tmp_path, NOW + DAY, again, other).volumes[0].first_seen_at == NOW


def test_a_ledger_of_before_may_have_known_another_by_the_name(tmp_path: Path) -> None:
    seen(tmp_path, NOW - 40 * DAY, volume("v", created=NOW - 50 * DAY))
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database, database:
        database.execute("UPDATE engines SET seen_at = ?", (int(NOW.timestamp()),))
    after = seen(tmp_path, NOW + DAY, volume("v", created=NOW - 5 * DAY))
    assert after.volumes[0].first_seen_at == NOW + DAY


def test_a_date_of_the_future_makes_no_other_volume(tmp_path: Path) -> None:
    skewed = volume("v", created=NOW + timedelta(hours=1))
    for at in (NOW, NOW + timedelta(minutes=30)):
        assert seen(tmp_path, at, skewed).volumes[0].first_seen_at == NOW


def test_nothing_is_kept_of_an_engine_that_nobody_has_seen_for_long(tmp_path: Path) -> None:
    long_ago = NOW - 9_000 * DAY
    seen(tmp_path, long_ago, volume("v"), told=told(long_ago, long_ago - DAY))
    other = replace(inventory(volume("v")), engine=replace(ENGINE, id="OTHER"))
    with Ledger(tmp_path) as ledger:
        ledger.update_objects(other, (), NOW, noticed=told(NOW, NOW - DAY))
        ledger.forget_before(NOW - 8_000 * DAY)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database:
        for table in ("objects", "uses", "watched", "event_readings"):
            assert database.execute(f"SELECT count(*), min(engine) FROM {table}").fetchall() == [(1, 2)], table
