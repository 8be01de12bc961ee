"""People read times in their own zone; spreadsheets and documents have UTC."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from dockersweep.commands.event_log import EventLog
from dockersweep.report.formats import formatted
from dockersweep.report.layout import Column, Layout, Rows, Section
from dockersweep.report.local_time import in_local_time, local_time


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


@pytest.mark.parametrize(
    ("sentence", "read"),
    [
        ("known after 2026-11-24T23:30:00Z", "known after 2026-11-25 00:30:00 CET"),
        ("2026-07-24T12:00:00Z to 2026-07-24T13:00:00Z", "2026-07-24 14:00:00 CEST to 2026-07-24 15:00:00 CEST"),
        ("since 2026-11-24T23:61:00Z", "since 2026-11-24T23:61:00Z"),
        ("2026-11-24T23:30:00+01:00", "2026-11-24T23:30:00+01:00"),
        ("2026-11-24T23:30:00.5Z", "2026-11-24T23:30:00.5Z"),
        ("(the registry had it at 2026-11-24T23:30:00Z).", "(the registry had it at 2026-11-25 00:30:00 CET)."),
        ("network net-2026-11-24T23:30:00Z", "network net-2026-11-24T23:30:00Z"),
        ("ARG BUILD_DATE=2026-11-24T23:30:00Z in it", "ARG BUILD_DATE=2026-11-24T23:30:00Z in it"),
        ("2026-11-24T23:30:00Z", "2026-11-24T23:30:00Z"),
    ],
)
def test_so_are_instants_in_sentences(in_berlin: None, sentence: str, read: str) -> None:
    assert in_local_time(sentence) == read


@pytest.mark.parametrize(
    ("output_format", "shown"),
    [("table", "2026-11-25 00:30:00 CET"), ("markdown", "2026-11-25 00:30:00 CET"), ("csv", "2026-11-24T23:30:00Z")],
)
def test_people_read_them_and_spreadsheets_do_not(in_berlin: None, output_format: str, shown: str) -> None:
    text = "known after 2026-11-24T23:30:00Z"
    section = Section(sentences=[text], columns=[Column("WHEN")], rows=[[text]], items=[text])
    written = formatted(Layout(None, [section], Rows(["when"], [[text]])), output_format, None)
    assert written.count(shown) == (1 if output_format == "csv" else 3)
    assert ("T23:30" in written) == (output_format == "csv")


def test_what_is_to_be_copied_stays_as_it_is(in_berlin: None) -> None:
    line = "dockersweep plan --at 2026-11-24T23:30:00Z"
    sections = [Section(lines=[line]), Section(sentences=[line], keeps_words=True)]
    assert formatted(Layout(None, sections), "table", None).count(line) == 2


def test_an_error_has_them_too(in_berlin: None, capsys: pytest.CaptureFixture[str]) -> None:
    EventLog("text").error("it was made at 2026-11-24T23:30:00Z", 2)
    assert capsys.readouterr().err == "dockersweep: it was made at 2026-11-25 00:30:00 CET\n"
