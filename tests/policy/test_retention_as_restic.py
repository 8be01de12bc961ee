"""A rule keeps what restic keeps, by its own published answers."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import chain

import pytest

from dockersweep.model.naming import id_of
from dockersweep.model.policy import Keep
from dockersweep.policy.judging.retention import retain
from dockersweep.units import parse_age
from dockersweep.words.reasons import about_text
from tests.policy.kept_images import Spoken, matched
from tests.rig.inventories import NOW, volume

# restic's own case: TestApplyPolicy in its internal/data/snapshot_policy_test.go, and the answers in testdata/ beside
# it. A line is a month, its days, and the time of day.
RESTIC_MONTHS = """
2014-08: 08 10 12 13 13.1 15 18 20 21 22
2014-09: 01 02 05 06 08 09 10 11 20 22
2014-10: 01 02 05 06 08 09 10 11 20 22
2014-11: 08 10 12 13 13.1 15 18 20 21 22
2015-08: 08 10 12 13 13.1 15 18 20 21 22
2015-09: 01 02 05 06 08 09 10 11 20 22
2015-10: 01 02 05 06 08 09 10 11 20 22 22 22 22 22
2015-11: 08 10 12 13 13.1 15 18 20 21 22
"""
RESTIC_LAST_DAYS = """
01T01:02 01T01:03 01T07:08 03T07:02 04T10:23 04T11:23 04T12:23 04T12:24 04T12:28 04T12:30 04T16:23 05T09:02 06T08:02
07T10:02 08T20:02 09T21:02 12T21:02 12T21:08 18T12:02
"""
NEWEST_TEN = "2016-01-18 2016-01-12 2016-01-12 2016-01-09 2016-01-08 2016-01-07 2016-01-06 2016-01-05 2016-01-04"
TEN_DAYS = (
    "2016-01-18 2016-01-12 2016-01-09 2016-01-08 2016-01-07 2016-01-06 2016-01-05 2016-01-04 2016-01-03 2016-01-01"
)
RESTIC_ANSWERS: list[tuple[Keep, dict[str, str]]] = [
    # keep, and the days of what is kept by each word
    (Keep(last=10), {"last": f"{NEWEST_TEN} 2016-01-04"}),
    (
        Keep(hourly=20),
        {
            "hourly": "2016-01-18 2016-01-12 2016-01-09 2016-01-08 2016-01-07 2016-01-06 2016-01-05 2016-01-04 "
            "2016-01-04 2016-01-04 2016-01-04 2016-01-03 2016-01-01 2016-01-01 2015-11-22 2015-11-21 2015-11-20 "
            "2015-11-18 2015-11-15 2015-11-13"
        },
    ),
    (Keep(daily=3), {"daily": "2016-01-18 2016-01-12 2016-01-09"}),
    (Keep(daily=10), {"daily": TEN_DAYS}),
    (
        Keep(daily=30),
        {
            "daily": f"{TEN_DAYS} 2015-11-22 2015-11-21 2015-11-20 2015-11-18 2015-11-15 2015-11-13 2015-11-12 "
            "2015-11-10 2015-11-08 2015-10-22 2015-10-20 2015-10-11 2015-10-10 2015-10-09 2015-10-08 2015-10-06 "
            "2015-10-05 2015-10-02 2015-10-01 2015-09-22"
        },
    ),
    (
        Keep(last=5, daily=5),
        {
            "last": "2016-01-18 2016-01-12 2016-01-12 2016-01-09 2016-01-08",
            "daily": "2016-01-18 2016-01-12 2016-01-09 2016-01-08 2016-01-07",
        },
    ),
    (Keep(last=2, daily=10), {"last": "2016-01-18 2016-01-12", "daily": TEN_DAYS}),
    (Keep(weekly=2), {"weekly": "2016-01-18 2016-01-12"}),
    (Keep(weekly=4), {"weekly": "2016-01-18 2016-01-12 2016-01-09 2016-01-03"}),
    (
        Keep(daily=3, weekly=4),
        {"daily": "2016-01-18 2016-01-12 2016-01-09", "weekly": "2016-01-18 2016-01-12 2016-01-09 2016-01-03"},
    ),
    (Keep(monthly=6), {"monthly": "2016-01-18 2015-11-22 2015-10-22 2015-09-22 2015-08-22 2014-11-22"}),
    (
        Keep(daily=2, weekly=2, monthly=6),
        {
            "daily": "2016-01-18 2016-01-12",
            "weekly": "2016-01-18 2016-01-12",
            "monthly": "2016-01-18 2015-11-22 2015-10-22 2015-09-22 2015-08-22 2014-11-22",
        },
    ),
    (Keep(yearly=10), {"yearly": "2016-01-18 2015-11-22 2014-11-22", "oldest, yearly": "2014-08-08"}),
    (
        Keep(daily=7, weekly=2, monthly=3, yearly=10),
        {
            "daily": "2016-01-18 2016-01-12 2016-01-09 2016-01-08 2016-01-07 2016-01-06 2016-01-05",
            "weekly": "2016-01-18 2016-01-12",
            "monthly": "2016-01-18 2015-11-22 2015-10-22",
            "yearly": "2016-01-18 2015-11-22 2014-11-22",
            "oldest, yearly": "2014-08-08",
        },
    ),
    (
        Keep(daily=3, weekly=2, monthly="all", yearly="all"),
        {
            "daily": "2016-01-18 2016-01-12 2016-01-09",
            "weekly": "2016-01-18 2016-01-12",
            "monthly": "2016-01-18 2015-11-22 2015-10-22 2015-09-22 2015-08-22 2014-11-22 2014-10-22 2014-09-22 "
            "2014-08-22",
            "oldest, monthly": "2014-08-08",
            "yearly": "2016-01-18 2015-11-22 2014-11-22",
            "oldest, yearly": "2014-08-08",
        },
    ),
    (Keep(within=parse_age("1d")), {"within": "2016-01-18"}),
    (Keep(within=parse_age("7d")), {"within": "2016-01-18 2016-01-12 2016-01-12"}),
    (Keep(within=parse_age("13d23h")), {"within": NEWEST_TEN}),
]
RESTIC_NUMBERS: list[tuple[Keep, int, str]] = [
    # keep, how many are kept, the day of the oldest of them
    (Keep(last=15), 15, "2016-01-04"),
    (Keep(last=99), 99, "2014-08-13"),
    (Keep(last=200), 103, "2014-08-08"),
    (Keep(last="all"), 103, "2014-08-08"),
    (Keep(last="all", hourly="all"), 103, "2014-08-08"),
    (Keep(hourly="all"), 90, "2014-08-08"),
    (Keep(within=parse_age("2d")), 1, "2016-01-18"),
    (Keep(within=parse_age("1mo")), 19, "2016-01-01"),
    (Keep(within=parse_age("1mo14d")), 19, "2016-01-01"),
    (Keep(within=parse_age("1y1mo1d")), 63, "2015-08-08"),
    (Keep(within=parse_age("2mo2h")), 23, "2015-11-18"),
    (Keep(within=parse_age("1y2mo3d3h")), 68, "2014-11-15"),
]


def restic_snapshots() -> Spoken:
    times = [f"2016-01-{text}:03" for text in RESTIC_LAST_DAYS.split()]
    for line in RESTIC_MONTHS.strip().splitlines():
        month, _, days = line.partition(":")
        for day, _, tenths in (text.partition(".") for text in days.split()):
            times.append(f"{month}-{day}T10:20:30.{tenths or 0}")
    instants = [datetime.fromisoformat(time).replace(tzinfo=UTC) for time in times]
    return matched(volume(f"{n}", created=instant) for n, instant in enumerate(instants))


def days_kept(keep: Keep) -> dict[str, list[str]]:
    """The days of what is kept of restic's snapshots by the beginning of each reason, the newest first."""
    snapshots = restic_snapshots()
    created = {id_of(seen): f"{getattr(seen, 'created_at', None):%Y-%m-%d}" for seen, _ in snapshots}
    found: dict[str, list[str]] = {}
    for (own, _), reasons in retain(keep, snapshots, NOW).kept.items():
        for reason in reasons:
            found.setdefault(_beginning(about_text(reason)), []).append(created[own])
    return {word: sorted(days, reverse=True) for word, days in found.items()}


def _beginning(text: str) -> str:
    """Return "last", "oldest, yearly" or "within"."""
    counted = re.fullmatch(r"(oldest, )?.*\(keep\.(\w+)(?: = all)?\)", text)
    return text.split(" ")[0] if counted is None else f"{counted[1] or ''}{counted[2]}"


@pytest.mark.parametrize(("keep", "expected"), RESTIC_ANSWERS, ids=[str(keep) for keep, _ in RESTIC_ANSWERS])
def test_keeps_what_restic_keeps(keep: Keep, expected: Mapping[str, str]) -> None:
    assert days_kept(keep) == {word: days.split() for word, days in expected.items()}


@pytest.mark.parametrize(("keep", "count", "oldest"), RESTIC_NUMBERS, ids=[str(keep) for keep, *_ in RESTIC_NUMBERS])
def test_keeps_as_much_as_restic_keeps(keep: Keep, count: int, oldest: str) -> None:
    assert len(retain(keep, restic_snapshots(), NOW).kept) == count
    assert min(chain.from_iterable(days_kept(keep).values())) == oldest
