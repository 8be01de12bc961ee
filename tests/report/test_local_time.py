"""People read times in their own zone; spreadsheets and documents have UTC."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from dockersweep.report.local_time import local_time


@pytest.fixture
def in_berlin() -> Iterator[None]:
    before = os.environ["TZ"]
    os.environ["TZ"] = "CET-1CEST,M3.5.0,M10.5.0/3"
    time.tzset()
    yield
    os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 11, 24, 23, 30, tzinfo=UTC), "2026-11-25 00:30:00 CET"),
        (datetime(2026, 7, 24, 12, 0, 5, 999, tzinfo=UTC), "2026-07-24 14:00:05 CEST"),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), "9999-12-31T23:59:59Z"),
    ],
)
def test_an_instant_is_told_with_its_zone(in_berlin: None, instant: datetime, text: str) -> None:
    assert local_time(instant) == text
