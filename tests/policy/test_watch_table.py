"""The table [watch] of a policy file: what it means, and what is refused, with its place."""

import pytest

from dockersweep.model.policy import Schedule, WatchSettings
from dockersweep.policy.language.reading import read_policy, read_policy_file
from dockersweep.units import parse_age

HEAD = "version = 1\nremoves_nothing = true\n[watch]\n"


def settings(keys: str = "") -> WatchSettings:
    watch = read_policy(f"{HEAD}{keys}\n".encode(), "a test").watch
    assert watch is not None
    return watch


def test_an_empty_table_has_the_defaults() -> None:
    assert settings() == WatchSettings(
        sweep=Schedule(text="daily 04:00", daily_minute=240),
        splay=parse_age("1h"),
        settle=parse_age("2m"),
        settle_at_most=parse_age("5m"),
        backoff=parse_age("10m"),
    )


def test_without_the_table_a_policy_says_nothing_of_a_watcher() -> None:
    assert read_policy(b"version = 1\nremoves_nothing = true\n", "a test").watch is None


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("daily 4:05", Schedule(text="daily 04:05", daily_minute=245)),
        ("  daily   00:00 ", Schedule(text="daily 00:00", daily_minute=0)),
        ("daily 23:59", Schedule(text="daily 23:59", daily_minute=1439)),
        ("every 6h", Schedule(text="every 6h", every_seconds=21_600)),
        ("every 1d 12h", Schedule(text="every 1d12h", every_seconds=129_600)),
        ("never", Schedule(text="never")),
    ],
)
def test_schedules(text: str, schedule: Schedule) -> None:
    assert settings(f'sweep = "{text}"').sweep == schedule


@pytest.mark.parametrize(
    ("keys", "splay", "at_most"),
    [
        ('sweep = "every 10m"', "600s", "5m"),
        ('sweep = "every 2h"', "1h", "5m"),
        ('sweep = "never"', "1h", "5m"),
        ('settle = "30m"', "1h", "30m"),
        ('settle = "0s"', "1h", "5m"),
        ('settle = "30m"\nsettle_at_most = "2h"\nsplay = "0s"', "0s", "2h"),
    ],
)
def test_what_is_left_out_follows_from_the_rest(keys: str, splay: str, at_most: str) -> None:
    assert (settings(keys).splay, settings(keys).settle_at_most) == (parse_age(splay), parse_age(at_most))


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (
            'sweep = "daily"',
            'line 4, column 9: watch.sweep: "daily" has no time of the day: write one like daily 04:00',
        ),
        ('sweep = "daily 24:00"', "has no time of the day"),
        ('sweep = "daily 4:60"', "has no time of the day"),
        ('sweep = "daily 4h"', "has no time of the day"),
        ('sweep = "hourly"', '"hourly" is no schedule: write daily and a time of the day'),
        ('sweep = "04:00"', "is no schedule"),
        ('sweep = "never ever"', "is no schedule"),
        ('sweep = "every"', "an age is missing"),
        ('sweep = "every 0s"', "would never end"),
        ('sweep = "every 1mo"', "months differ in length"),
        ("sweep = 6", 'watch.sweep must be "daily 04:00", "every 6h" or "never", not the number 6'),
        ('splay = "25h"', "splay = 25h is longer than from one sweep to the next (daily 04:00)"),
        ('sweep = "every 30m"\nsplay = "1h"', "line 5, column 9: splay = 1h is longer than"),
        ('settle = "5m"\nsettle_at_most = "4m"', "settle_at_most = 4m is less than settle = 5m"),
        ('settle = "1mo"', "too long to wait"),
        ('backoff = "0s"', "backoff = 0s would sweep without a pause"),
        ("settle = 5", 'did you mean "5s"?'),
        ('swep = "never"', 'there is no key "swep" in watch; did you mean "sweep"?'),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(keys: str, problem: str) -> None:
    problems = [one.words() for one in read_policy_file(f"{HEAD}{keys}\n".encode(), "a test").problems]
    assert len(problems) == 1
    assert problem in problems[0]
