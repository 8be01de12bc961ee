"""Ages, sizes and instants."""

from datetime import UTC, datetime

import pytest

from dockersweep.errors import UsageError
from dockersweep.units import format_duration, format_size, parse_age, parse_instant
from tests.rig.inventories import NOW, ago


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("0s", NOW),
        ("90s", ago(seconds=90)),
        ("24h", ago(hours=24)),
        ("7d", ago(days=7)),
        ("2w", ago(weeks=2)),
        ("1d12h", ago(hours=36)),
        ("1.5h", ago(minutes=90)),
        (" 7 d ", ago(days=7)),
        ("0.4s", ago(seconds=1)),
        ("3mo", datetime(2026, 8, 24, 12, tzinfo=UTC)),
        ("1y", datetime(2025, 11, 24, 12, tzinfo=UTC)),
    ],
)
def test_an_age_names_an_instant(text: str, before: datetime) -> None:
    assert parse_age(text).before(NOW) == before


def test_months_are_those_of_the_calendar() -> None:
    assert parse_age("1mo").before(datetime(2026, 3, 31, tzinfo=UTC)) == datetime(2026, 2, 28, tzinfo=UTC)


def test_an_age_longer_than_the_calendar_reaches_its_start() -> None:
    assert parse_age("1000y").before(datetime(900, 1, 1, tzinfo=UTC)) == datetime.min.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("7 parsecs", '"7 parsecs" is not an age: there is no unit "parsecs"; write a number and a unit'),
        ("-3d", '"-3d" is not an age: it cannot be negative'),
        ("", "an age is missing: write a number and a unit, s, m, h, d, w, mo or y"),
        ("5", '"5" is not an age: it has no unit'),
        ("d", '"d" is not an age; write'),
        ("6M", '"6M" is not an age: there is no unit "M" (m is minutes, mo is months)'),
        ("9" * 5000 + "d", f'"{"9" * 40}..." is not an age; write'),
        ("1.5mo", '"1.5mo" is not an age: months and years are whole'),
        ("99999999999999999999d", "that a calendar holds"),
        ("99999999999999999999y", "that a calendar holds"),
        ("yesterday", '"yesterday" is not an age; write'),
    ],
)
def test_what_is_no_age_is_told_apart(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_age(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(("text", "words"), [("24h", "24 hours"), ("1d", "1 day"), ("1d12h", "1 day 12 hours")])
def test_an_age_is_worded_as_it_was_written(text: str, words: str) -> None:
    assert parse_age(text).words() == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (3 * 3600, "3 hours"),
        (36 * 3600, "36 hours"),
        (10 * 86400, "10 days"),
        (21 * 86400, "21 days"),
        (70 * 86400, "70 days"),
        (800 * 86400, "2 years"),
        (-5, "0 seconds"),
    ],
)
def test_a_duration_in_words(seconds: int, words: str) -> None:
    assert format_duration(seconds) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (None, "unknown"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (9_994, "9.99 kB"),
        (9_996, "10.0 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (20_971_520, "21.0 MB"),
        (3 * 10**21, "3000 EB"),
    ],
)
def test_a_size_in_words(size: int | None, words: str) -> None:
    assert format_size(size) == words


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-23T22:36:25.123456789Z", datetime(2026, 11, 23, 22, 36, 25, 123456, tzinfo=UTC)),
        ("2026-11-23T22:36:25+02:00", datetime(2026, 11, 23, 20, 36, 25, tzinfo=UTC)),
        ("2026-11-23T22:36:25.1Z", datetime(2026, 11, 23, 22, 36, 25, 100000, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("1970-01-01T00:00:00Z", None),
        ("1980-01-01T00:00:00Z", None),
        ("", None),
        (None, None),
        ("soon", None),
    ],
)
def test_an_instant_of_an_engine(text: str | None, instant: datetime | None) -> None:
    assert parse_instant(text) == instant
