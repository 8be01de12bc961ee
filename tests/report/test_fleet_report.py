"""The fleet report in every format: what it says, how it fits, and that no text of an engine gets through as it is."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from dockersweep.model.fleet_report import (
    FleetFinding,
    FleetReport,
    HostUsage,
    ImageUse,
    KindRemoved,
    RepositoryUse,
    SharedVolume,
    SkippedFile,
)
from dockersweep.model.plan import Interval, exactly
from dockersweep.model.report import GrowthOfShare
from dockersweep.report.fleet_report.layout import fleet_layout
from dockersweep.report.fleet_report.metrics import exposition
from dockersweep.report.fleet_report.page import page
from dockersweep.report.formats import formatted
from dockersweep.report.text import printable
from tests.report.test_html_report import HOSTILE, WINDOWS
from tests.rig.browser import Scheme, chromium, opened
from tests.rig.inventories import NOW
from tests.rig.reports import GIGABYTE, MEGABYTE, many_objects, shares_of
from tests.rig.roff import read_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

PAGE = Path(__file__).parents[2] / "man" / "dockersweep.1"
PROMTOOL = Path(sys.executable).with_name("promtool")


def growth(bytes_per_day: int) -> GrowthOfShare:
    """The growth of a disk, from a month of scans."""
    return GrowthOfShare(
        share="total", points=30, span_seconds=30 * 86_400, bytes_per_day=bytes_per_day, low_bytes_per_day=None,
        high_bytes_per_day=None, grown_bytes=None,
    )  # fmt: skip


def usage(name: str, **fields: object) -> HostUsage:
    """A host of which everything is known."""
    known: dict[str, object] = {
        "engine_id": f"id-{name}", "address": f"ssh://{name}", "version": "Docker 28.5.2", "documents": 30,
        "taken_at": NOW, "status": "done", "used": exactly(40 * GIGABYTE), "reclaimable": exactly(3 * GIGABYTE),
        "unused": exactly(9 * GIGABYTE), "disk_total_bytes": 100 * GIGABYTE, "disk_used_bytes": 72 * GIGABYTE,
        "growth": growth(310 * MEGABYTE), "disk_growth": growth(400 * MEGABYTE), "growth_from": "documents",
        "full_in_days": 70.0, "full_in_days_soonest": 43.0, "full_in_days_latest": 96.0,
        "findings": {"warning": 2, "note": 1}, "freed_bytes": GIGABYTE, "failed": 0, **fields,
    }  # fmt: skip
    return HostUsage(name=name, **known)  # type: ignore[arg-type]


def whole_report(*names: str) -> FleetReport:
    """A report on hosts of these names, with something in every part, all named alike."""
    first = names[0]
    missing = HostUsage(name=names[-1], status="not-reached", message=f"{first}: connection refused", documents=0)
    hosts = (missing, *(usage(name, also=(first,) if name != first else ()) for name in names))
    return FleetReport(
        schema="dockersweep.fleet-report/1", source=first, documents=90, first_at=NOW, last_at=NOW,
        engines=len(names), hosts=hosts, shares=shares_of(many_objects(40)), used=exactly(120 * GIGABYTE),
        reclaimable=Interval(low_bytes=GIGABYTE, high_bytes=None), unused=exactly(27 * GIGABYTE),
        disk_total_bytes=300 * GIGABYTE, disk_used_bytes=200 * GIGABYTE, freed_bytes=3 * GIGABYTE,
        removed=(KindRemoved(kind="image", removed=7, failed=1), KindRemoved(kind="volume", removed=1, failed=0)),
        repositories=tuple(
            RepositoryUse(name=name, hosts=2, images=5, size_bytes=GIGABYTE, unused_bytes=5, unknown_hosts=1)
            for name in names
        ),
        images=tuple(
            ImageUse(id=name, name=name, hosts=3, in_use=1, size_bytes=GIGABYTE, all_bytes=None) for name in names
        ),
        volumes=tuple(
            SharedVolume(name=name, driver=name, used_on=names, unused_on=names, goes_on=names[:1]) for name in names
        ),
        findings=tuple(
            FleetFinding(id="DS001", severity="warning", title=name, hosts=names, objects=3, size_bytes=7)
            for name in names
        ),
        skipped=tuple(SkippedFile(file=name, why=f"{name} is not whole JSON") for name in names),
    )  # fmt: skip


NAMES = ("build1", "build2.example.com", "db-with-a-rather-long-name-17.europe.example.com", "x")
NOTHING = FleetReport(
    schema="dockersweep.fleet-report/1", source="empty", documents=0, first_at=None, last_at=None, engines=0,
    hosts=(HostUsage(name="a", status="not-reached"),), shares=(), used=exactly(0), reclaimable=exactly(0),
    unused=exactly(0), disk_total_bytes=0, disk_used_bytes=0, freed_bytes=0, removed=(), repositories=(), images=(),
    volumes=(), findings=(),
)  # fmt: skip

any_report = pytest.mark.parametrize(
    "seen", [whole_report(*NAMES), whole_report(*HOSTILE), NOTHING], ids=["busy", "hostile", "none"]
)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_table_fits_its_terminal(width: int) -> None:
    lines = formatted(fleet_layout(whole_report(*NAMES)), "table", width).splitlines()
    assert max(map(len, lines)) <= width


def test_who_was_not_reached_stands_before_the_hosts() -> None:
    text = formatted(fleet_layout(whole_report(*NAMES)), "table", 100)
    assert text.index("NOT DONE") < text.index("x: not reached: build1: connection refused") < text.index("HOST ")
    text = text.replace("\n", " ")
    for words in (
        "Sweeps removed 7 images and 1 volume, and freed 3.00 GB; 1 removal failed.",
        "Volume build1: the policy of build1 would remove it, but build1, build2.example.com, ",
        "build2.example.com and build1 are one engine, which counts once.",
    ):
        assert words in text


def test_what_is_unknown_is_no_number() -> None:
    rows = list(csv.DictReader(io.StringIO(formatted(fleet_layout(NOTHING), "csv", None))))
    [row] = rows
    assert {name for name, cell in row.items() if cell} == {"host", "status", "documents", "failed"}
    assert "NOT DONE\na: not reached\n" in formatted(fleet_layout(NOTHING), "table", 80)
    samples = {
        sample.name for family in text_string_to_metric_families(exposition(NOTHING)) for sample in family.samples
    }
    assert not {name for name in samples if name.startswith("dockersweep_host_")} - {
        "dockersweep_host_status",
        "dockersweep_host_failed_removals",
    }
    assert "unknown" in page(NOTHING)


def test_a_csv_has_a_row_for_each_host() -> None:
    rows = list(csv.DictReader(io.StringIO(formatted(fleet_layout(whole_report(*NAMES)), "csv", None))))
    assert [row["host"] for row in rows] == ["x", *NAMES]
    assert rows[1]["bytes_per_day"] == "310000000"
    assert (rows[1]["critical"], rows[1]["warning"], rows[1]["full_in_days"]) == ("0", "2", "70.0")


@pytest.mark.parametrize("name", ["table", "markdown", "csv"])
def test_no_text_of_an_engine_controls_a_terminal_or_a_spreadsheet(name: str) -> None:
    names = tuple(text for text in HOSTILE if "\ud800" not in text)
    text = formatted(fleet_layout(whole_report(*names)), name, None)
    assert printable(text.replace("\r\n", "").replace("\n", "")) == text.replace("\r\n", "").replace("\n", "")
    if name == "markdown":
        assert not re.search(r"(?<!\\)<(?!!-- -->)", text)


def test_the_metrics_are_those_of_the_manual() -> None:
    families = list(text_string_to_metric_families(exposition(whole_report(*NAMES))))
    found = {sample.name: set(sample.labels) for family in families for sample in family.samples}
    [section] = [section for section in read_page(PAGE) if section.title == "The metrics of a fleet"]
    tags = [tag for line in section.tags for tag in line.split(", ")]
    told = {name: set(re.findall(r"\w+", labels)) for name, _, labels in (tag.partition("{") for tag in tags)}
    assert told == found


@pytest.mark.programs
@any_report
def test_prometheus_takes_them(seen: FleetReport) -> None:
    done = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=exposition(seen), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests here."""
    with chromium() as started:
        yield started


@pytest.mark.programs
@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
@any_report
def test_a_page_loads_nothing_says_nothing_and_fits(
    browser: Browser, tmp_path: Path, seen: FleetReport, width: int, scheme: Scheme
) -> None:
    file = tmp_path / "fleet.html"
    file.write_text(page(seen), encoding="utf-8")
    with opened(browser, file, width, scheme=scheme) as watched:
        assert watched.requests == []
        assert watched.said == []
        assert watched.ask("window.ran") is None
        assert watched.ask("document.documentElement.scrollWidth") == width


def test_a_page_says_what_one_looks_for_first() -> None:
    text = page(replace(whole_report(*NAMES), skipped=()))
    for words in ("67% of 300", "build1: 43 to 96", "310\u00a0MB a day", "Not in these figures", "not reached"):
        assert words in text, words
