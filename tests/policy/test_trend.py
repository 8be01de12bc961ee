"""The trend: a slope that odd points do not move, with a range that holds, and points that are thinned out."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from dockersweep.ledger import Ledger
from dockersweep.model.disk import Disk
from dockersweep.model.history import ShareSize
from dockersweep.model.report import TrendPoint
from dockersweep.policy.bytes.totals import sizes_now
from dockersweep.policy.disk_report import Past
from dockersweep.policy.disk_report.slope import Point, slope_of
from dockersweep.policy.disk_report.trend import trend_of
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from tests.rig.inventories import ENGINE, NOW, inventory, report_of, totals_of

GIGA = 1_000_000_000
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DISK = Disk(total_bytes=500 * GIGA, free_bytes=100 * GIGA, total_inodes=None, free_inodes=None)


def points(sizes: Sequence[int | None], every: timedelta = DAY, share: str = "disk") -> list[TrendPoint]:
    start = NOW - every * (len(sizes) - 1)
    return [TrendPoint(at=start + every * number, sizes={share: size}) for number, size in enumerate(sizes)]


def test_the_slope_of_a_line_is_exact_and_certain() -> None:
    told = slope_of([(float(x), 3.0 * x + 7) for x in range(20)])
    assert told is not None
    assert (told.middle, told.low, told.high) == (3, 3, 3)


def test_odd_points_do_not_move_it() -> None:
    line: list[Point] = [(float(x), 3.0 * x) for x in range(30)]
    for odd in (4, 11, 25):
        line[odd] = (float(odd), 10_000.0)
    told = slope_of(line)
    assert told is not None
    assert told.middle == pytest.approx(3, abs=0.2)
    assert told.low <= 3 <= told.high


@pytest.mark.parametrize("count", range(5))
def test_too_few_points_have_no_slope(count: int) -> None:
    assert slope_of([(float(x), 1.0) for x in range(count)]) is None


def test_points_of_one_moment_have_no_slope() -> None:
    assert slope_of([(1.0, float(y)) for y in range(9)]) is None


def alone(random: Random, before: float) -> float:
    return random.gauss(0, 5)


def alike(random: Random, before: float) -> float:
    return 0.6 * before + random.gauss(0, 5)


@pytest.mark.parametrize("noise", [alone, alike])
@pytest.mark.parametrize("count", [10, 30, 120])
def test_the_true_slope_lies_in_the_range_about_as_often_as_it_says(
    noise: Callable[[Random, float], float], count: int
) -> None:
    hits, trials, random = 0, 200, Random(7)
    for _ in range(trials):
        rest, line = 0.0, []
        for x in range(count):
            rest = noise(random, rest)
            line.append((float(x), 2.0 * x + rest))
        told = slope_of(line)
        assert told is not None
        hits += told.low <= 2 <= told.high
    assert hits / trials >= 0.85, hits


def test_many_points_of_one_day_do_not_outweigh_a_month() -> None:
    days = [(float(x), 10.0 * x) for x in range(30)]
    hours = [(29 + x / 500, 290.0) for x in range(1, 500)]
    told = slope_of([*days, *hours])
    assert told is not None
    assert told.middle == pytest.approx(10, abs=1)


def test_a_disk_that_fills_up_is_full_between_two_days() -> None:
    random = Random(1)
    told = trend_of(points([day * 2 * GIGA + random.randrange(GIGA) for day in range(31)]), DISK)
    assert told.full_in_days == pytest.approx(50, abs=2)
    assert told.full_in_days_soonest is not None
    assert told.full_in_days_latest is not None
    assert told.full_in_days_soonest < 50 < told.full_in_days_latest
    assert told.text.startswith("at this rate (2.0")
    assert told.text.endswith("(from 31 scans over 30 days)")


def test_too_few_points_say_so() -> None:
    why = "needs 5 scans at least an hour apart over a day;"
    assert trend_of(points([1]), DISK).text == f"{why} 1 so far; known after 2026-11-25T12:00:00Z"
    assert trend_of(points([1, 2, 3, 4]), DISK).text == f"{why} 4 so far over 3 days"
    assert trend_of(points(range(9), HOUR), DISK).text == (
        f"{why} 9 so far over 8 hours; known after 2026-11-25T04:00:00Z"
    )
    far_apart = points([1, 2, 3], 50 * DAY)
    assert trend_of(far_apart, DISK).text == f"{why} 2 so far over 50 days"
    nothing = "not known how full the disk was, or is"
    assert trend_of([], DISK).text == f"{nothing}; {why} none so far"
    assert trend_of(points([1]), None).text.startswith(f"{nothing}; needs 5 scans")
    assert trend_of(points(range(9)), None).text == nothing


@pytest.mark.parametrize(
    ("grown", "told"),
    [
        (None, "(2.00 GB a day)"),
        (0, "(2.00 GB a day, none of that the engine's)"),
        (-1000, "(2.00 GB a day, none of that the engine's)"),
        (1_000_000, "(2.00 GB a day, of that the engine is under 0.1%)"),
        (2_000_000, "(2.00 GB a day, of that the engine is 0.1%)"),
        (GIGA, "(2.00 GB a day, of that the engine is 50%)"),
        (3 * GIGA, "(2.00 GB a day, all of that the engine's)"),
    ],
)
def test_what_of_a_growing_disk_is_the_engines_is_told(grown: int | None, told: str) -> None:
    days = [
        TrendPoint(
            at=NOW + DAY * day,
            sizes={"disk": 2 * day * GIGA, "total": None if grown is None else 9 * GIGA + day * grown},
        )
        for day in range(6)
    ]
    assert told in trend_of(days, DISK).text


def test_what_does_not_grow_is_never_full() -> None:
    told = trend_of(points([9 * GIGA - day * GIGA for day in range(9)]), DISK)
    assert (told.full_in_days, told.full_in_days_soonest, told.full_in_days_latest) == (None, None, None)
    assert told.text == "the use of the disk does not grow (from 9 scans over 8 days)"


def test_what_may_or_may_not_grow_says_both() -> None:
    random = Random(3)
    told = trend_of(points([random.randrange(10 * GIGA) for _ in range(12)]), DISK)
    assert told.full_in_days_latest is None
    assert told.full_in_days_soonest is not None
    assert "at worst" in told.text


def test_what_hardly_grows_is_told_with_the_worst() -> None:
    told = trend_of(points([(day % 3) * 5 * GIGA for day in range(16)]), DISK)
    assert told.full_in_days is None
    assert told.full_in_days_soonest is not None
    assert told.text.startswith("the use of the disk hardly grows; at worst it is full in ")


def test_what_takes_longer_than_anybody_can_tell_has_no_days() -> None:
    told = trend_of(points([GIGA + day for day in range(11)]), DISK)
    assert (told.full_in_days, told.full_in_days_soonest, told.full_in_days_latest) == (None, None, None)
    assert told.text.startswith("the use of the disk does not grow")


def test_what_grows_most_comes_first_and_the_disk_last() -> None:
    many = [
        TrendPoint(at=NOW + DAY * day, sizes={"image": day * GIGA, "volume": 5 * day * GIGA, "total": 6 * day * GIGA})
        for day in range(6)
    ]
    told = trend_of(many, DISK)
    assert [one.share for one in told.growth][:2] == ["volume", "image"]
    assert [one.share for one in told.growth][-2:] == ["total", "disk"]
    assert (
        told.growth[0].bytes_per_day == told.growth[0].grown_bytes == 5 * GIGA
        or told.growth[0].grown_bytes == 25 * GIGA
    )
    assert told.growth[-1].bytes_per_day is None


def kept(folder: Path, base: str = "disk") -> list[int]:
    """Return how many hours before NOW each point lies."""
    with Ledger(folder) as memory:
        told = memory.sizes(ENGINE, "disk" if base == "disk" else "lengths")
    return [round((NOW - one.at) / HOUR) for one in told]


def test_points_are_thinned_to_one_an_hour_for_a_week_and_one_a_day_for_a_year(tmp_path: Path) -> None:
    one = ShareSize(share="image", base="disk", objects=1, size_bytes=5)
    with Ledger(tmp_path) as memory:
        for quarter in range(4 * 24 * 9, -1, -1):
            memory.keep_sizes([one], ENGINE, NOW - quarter * HOUR / 4)
    hours = kept(tmp_path)
    in_week = [hour for hour in hours if hour <= 7 * 24]
    assert 7 * 24 <= len(in_week) <= 7 * 24 + 2
    assert len(hours) - len(in_week) in (1, 2, 3)
    with Ledger(tmp_path) as memory:
        memory.keep_sizes([one], ENGINE, NOW + timedelta(days=366))
    assert len(kept(tmp_path)) == 1


def test_points_of_the_other_base_are_not_mixed_and_the_disk_is_in_both(tmp_path: Path) -> None:
    with Ledger(tmp_path) as memory:
        memory.keep_sizes(
            [
                ShareSize(share="image", base="disk", objects=1, size_bytes=5),
                ShareSize(share="disk", base="disk", objects=0, size_bytes=9),
            ],
            ENGINE,
            NOW,
        )
        memory.keep_sizes([ShareSize(share="image", base="lengths", objects=1, size_bytes=4)], ENGINE, NOW + HOUR)
        assert [one.sizes for one in memory.sizes(ENGINE, "disk")] == [{"image": 5, "disk": 9}]
        assert [one.sizes for one in memory.sizes(ENGINE, "lengths")] == [{"disk": 9}, {"image": 4}]


@pytest.mark.parametrize("size", ["'much'", "9e999", "-1"])
def test_a_size_that_no_version_wrote_is_damage(tmp_path: Path, size: str) -> None:
    with Ledger(tmp_path) as memory:
        memory.keep_sizes([ShareSize(share="image", base="disk", objects=1, size_bytes=5)], ENGINE, NOW)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as database, database:
        database.execute(f"UPDATE sizes SET size_bytes = {size}")
    with Ledger(tmp_path) as memory:
        assert memory.sizes(ENGINE, "disk") == ()
        assert "is damaged (there is no size" in (memory.problem or "")


def test_a_disk_with_more_free_than_there_is_leaves_no_point() -> None:
    odd = replace(inventory(), disk=Disk(total_bytes=10, free_bytes=12, total_inodes=None, free_inodes=None))
    assert [one for one in sizes_now(totals_of(odd)) if one.share == "disk"] == []


def test_each_disk_has_points_of_its_own_and_all_that_is_not_free_counts() -> None:
    main = Disk(total_bytes=500, free_bytes=100, used_bytes=380, total_inodes=None, free_inodes=None)
    other = Disk(total_bytes=50, free_bytes=10, total_inodes=None, free_inodes=None, mount_point="/srv/volumes")
    seen = replace(inventory(), disk=main, other_disks=(other,))
    assert {one.share: one.size_bytes for one in sizes_now(totals_of(seen)) if one.share.startswith("disk")} == {
        "disk": 400, "disk:/srv/volumes": 40,
    }  # fmt: skip


def test_what_other_disks_held_comes_back_in_both_bases(tmp_path: Path) -> None:
    sizes = [
        ShareSize(share="disk", base="disk", objects=0, size_bytes=9),
        ShareSize(share="disk:/srv", base="disk", objects=0, size_bytes=7),
        ShareSize(share="image", base="disk", objects=1, size_bytes=5),
    ]
    with Ledger(tmp_path) as ledger:
        ledger.keep_sizes(sizes, ENGINE, NOW)
        assert [one.sizes for one in ledger.sizes(ENGINE, "lengths")] == [{"disk": 9, "disk:/srv": 7}]
        assert [one.sizes for one in ledger.sizes(ENGINE, "disk")] == [{"disk": 9, "disk:/srv": 7, "image": 5}]


RESERVED = replace(DISK, used_bytes=375 * GIGA)
"""DISK with 25 GB that are reserved: the points that earlier versions kept had them in them."""


def test_what_is_reserved_is_not_used_and_no_point_jumps() -> None:
    """The ledger keeps what is not free, as it always has; a report tells what df does."""
    kept = points([385 * GIGA + day * GIGA for day in range(16)])
    told = report_of(replace(inventory(), disk=RESERVED), DEFAULT_POLICY, Past(tuple(kept))).trend
    assert told is not None
    assert told.points[-1].sizes["disk"] == RESERVED.used_bytes
    assert [one.sizes["disk"] for one in told.points] == [360 * GIGA + day * GIGA for day in range(16)]
    assert told.growth[-1].bytes_per_day == told.growth[-1].low_bytes_per_day == GIGA
    assert told.full_in_days == pytest.approx(100)
    assert {one.share: one.size_bytes for one in sizes_now(totals_of(replace(inventory(), disk=RESERVED)))}[
        "disk"
    ] == kept[-1].sizes["disk"]


def test_each_disk_fills_up_by_itself() -> None:
    other = Disk(total_bytes=40 * GIGA, free_bytes=10 * GIGA, total_inodes=None, free_inodes=None, mount_point="/srv")
    days = [
        TrendPoint(
            at=NOW + DAY * day,
            sizes={"disk": 2 * day * GIGA, "disk:/srv": 20 * GIGA + day * GIGA, "total": 3 * day * GIGA},
        )
        for day in range(-10, 1)
    ]
    days = [replace(one, sizes=one.sizes | {"disk": (one.sizes["disk"] or 0) + 100 * GIGA}) for one in days]
    seen = replace(inventory(), disk=replace(DISK, mount_point="/"), other_disks=(other,))
    told = report_of(seen, DEFAULT_POLICY, Past(tuple(days)))
    main, srv = (row.filling for row in told.disks)
    assert main is not None
    assert srv is not None
    assert main.full_in_days == pytest.approx(50)
    assert srv.full_in_days == pytest.approx(10)
    assert (main.growth.bytes_per_day, srv.growth.bytes_per_day) == (2 * GIGA, GIGA)
    assert told.trend is not None
    assert (told.trend.full_in_days, told.trend.text) == (main.full_in_days, main.text)
    # Of what grew nobody knows what lies where.
    assert srv.text == "at this rate (1.00 GB a day) the disk is full in 10 days (from 11 scans over 10 days)"
    assert main.text == "at this rate (2.00 GB a day) the disk is full in 50 days (from 11 scans over 10 days)"
    young = report_of(seen, DEFAULT_POLICY, Past(tuple(one for one in days[-2:]))).disks[1].filling
    assert young is not None
    assert young.full_in_days is None
    assert young.text.startswith("needs 5 scans")
    assert [row.filling for row in report_of(seen, DEFAULT_POLICY, None).disks] == [None, None]
