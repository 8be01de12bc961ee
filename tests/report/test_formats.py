"""Scans, plans, sweeps and explanations as CSV and Markdown."""

import csv
import io
from pathlib import Path

import pytest
from msgspec.structs import replace

from dockersweep.report.formats.csv import csv_text
from dockersweep.report.formats.markdown import markdown_escape
from tests.commands.test_guard_rails import removable
from tests.rig.fake_engine import fake_engine
from tests.rig.inventories import container, image, inventory, network, record, volume, write_inventory
from tests.rig.running import Run, dockersweep

HOSTILE = "=cmd|'/c calc'!A1\n| <script> \x1b[31m"
SEEN = inventory(
    container("web", size=None),
    container("db", "running", image="sha256:b", volumes=["data"]),
    image("a", size=21_000_000),
    image("b", "shop/web:1", size=900_000_000),
    volume("f" * 64, size=None),
    volume("data", anonymous=False),
    network("shop"),
    network(HOSTILE),
    record("r"),
)


@pytest.fixture
def saved(tmp_path: Path) -> str:
    return write_inventory(tmp_path, SEEN)


def rows_of(run: Run) -> list[dict[str, str]]:
    assert run.status == 0, run.stderr
    return list(csv.DictReader(io.StringIO(run.stdout, newline=""), strict=True))


def test_a_scan_has_a_row_for_each_object_that_is_listed(saved: str) -> None:
    rows = rows_of(dockersweep("scan", "--all", "--inventory", saved, "--format", "csv"))
    assert len(rows) == 9
    by_name = {row["name"]: row for row in rows}
    assert by_name["web"]["size_bytes"] == ""
    assert by_name["db"]["in_use"] == "true"
    assert by_name["shop/web:1"] == {
        "kind": "image", "id": "sha256:b", "name": "shop/web:1", "in_use": "true",
        "state": "used by container db (running)", "size_bytes": "900000000", "age_seconds": "864000",
        "age_source": "first seen",
    }  # fmt: skip
    shown = ["--kind", "volume", "--inventory", saved, "--format", "csv"]
    [row] = rows_of(dockersweep("scan", *shown))
    assert row["name"] == "f" * 64
    assert dockersweep("scan", "--no-header", *shown).stdout.startswith(f"volume,{'f' * 64},")


def test_a_scan_in_markdown_has_headings(saved: str) -> None:
    text = dockersweep("scan", "--inventory", saved, "--format", "markdown").stdout
    assert text.startswith("# What lies on box\n\nDocker 28.5.2 ")
    assert "\n## Images: 1 of 2 unused, would free 21.0 MB\n\n| NAME | SIZE | AGE | SINCE | STATE |\n" in text
    run = dockersweep("scan", "--inventory", saved, "--format", "markdown", "--no-header")
    assert (run.status, run.stdout) == (2, "")


def test_what_runs_has_no_age_and_what_nothing_tells_of_an_unknown_one(tmp_path: Path) -> None:
    web = replace(container("web"), created_at=None, finished_at=None)
    seen = inventory(container("db", "running"), web)
    words = ("scan", "--all", "--inventory", write_inventory(tmp_path, seen), "--format", "markdown")
    cells = [[cell.strip() for cell in line.split("|")] for line in dockersweep(*words).stdout.splitlines()]
    ages = {row[1]: row[3] for row in cells if len(row) == 7}
    assert (ages["db"], ages["web"]) == ("in use", "unknown")


def test_a_plan_has_a_row_for_each_decision(saved: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.csv"
    assert dockersweep("plan", "--inventory", saved, "-o", str(file)).stdout == ""
    assert file.read_bytes().count(b"\r\n") == 10
    text = file.read_bytes().decode()
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(text, newline=""), strict=True)}
    assert len(rows) == 9
    assert rows["sha256:a"] == {
        "kind": "image", "id": "sha256:a", "name": "a", "verdict": "remove", "size_bytes": "21000000",
        "gives_back_low_bytes": "21000000", "gives_back_high_bytes": "21000000", "age_seconds": "864000",
        "age_source": "first seen", "tags_removed": "",
        "reasons": "dangling images: first seen 10 days ago (limit 24 hours)", "recovery": "none",
        "recovery_text": "no archive", "recovery_until": "",
    }  # fmt: skip
    # What is not known, and what one that stays frees, are empty.
    assert rows["f" * 64]["gives_back_high_bytes"] == ""
    assert rows["data"]["gives_back_low_bytes"] == ""
    assert rows["data"]["verdict"] == "keep"


@pytest.mark.parametrize(("name", "begins"), [("a.md", "# Plan for"), ("a.csv", "kind,id,"), ("a.txt", "Docker 28")])
def test_the_name_of_the_file_tells_the_format(saved: str, tmp_path: Path, name: str, begins: str) -> None:
    dockersweep("plan", "--inventory", saved, "-o", str(tmp_path / name))
    assert (tmp_path / name).read_text().startswith(begins)


def test_formulas_and_markup_do_nothing(saved: str) -> None:
    network_row = rows_of(dockersweep("plan", "--kind", "network", "--inventory", saved, "--format", "csv"))
    assert "'=cmd|'/c calc'!A1\\n| <script> \\x1b[31m" in {row["name"] for row in network_row}
    for verb in (["scan"], ["plan"], ["plan", "--verbose"]):
        text = dockersweep(*verb, "--inventory", saved, "--format", "markdown").stdout
        assert "<script>" not in text
        # Of one object alone the plan has no row, but a title.
        assert verb == ["plan"] or r"| =cmd\|'/c calc'!A1\\n\| \<script\> \\x1b\[31m |" in text


def test_what_could_not_be_read_is_told_beside_the_rows(tmp_path: Path) -> None:
    file = write_inventory(tmp_path, inventory(container("web", unread="timed out"), cache_read=False))
    for verb in ("scan", "plan"):
        run = dockersweep(verb, "--inventory", file, "--format", "csv", DOCKERSWEEP_NOW="2026-11-25T00:00:00Z")
        assert "Warning: ages: as of 2026-11-25 00:00:00 UTC" in run.stderr
        assert "Warning" not in run.stdout


def test_the_verbose_plan_in_markdown_has_what_stays(saved: str) -> None:
    text = dockersweep("plan", "--verbose", "--inventory", saved, "--format", "markdown").stdout
    assert text.startswith("# Plan for box\n")
    assert "\n## Images to keep: 1\n\n| NAME | SIZE | WHY |\n| --- | ---: | --- |\n| shop/web:1 |" in text
    short = dockersweep("plan", "--inventory", saved, "--format", "markdown").stdout
    assert "\n## Kept (--verbose lists them)\n\n| KIND | WHY |\n" in short


def test_an_explanation_has_a_row_for_each_reason_and_rule(saved: str) -> None:
    rows = rows_of(dockersweep("explain", "shop/web:1", "--inventory", saved, "--format", "csv"))
    assert {(row["kind"], row["id"], row["name"]) for row in rows} == {("image", "sha256:b", "shop/web:1")}
    told = [(row["part"], row["about"], row["says"]) for row in rows]
    assert told[:2] == [("reason", "hard protection", "keep"), ("holder", "container db", "stays")]
    assert told[-1] == ("forecast", "", "never")
    assert ("rule", "dangling images", "silent") in told
    text = dockersweep("explain", "shop/web:1", "--inventory", saved, "--format", "markdown").stdout
    assert text.startswith("# Image shop/web:1\n")
    assert "\n## Held by\n\n- image shop/web:1 \\<- container db (running)\n" in text


def test_a_sweep_has_a_row_for_each_removal() -> None:
    with fake_engine() as engine:
        removable(engine, "a", "b")
        engine.replies["/containers/b"] = (500, b'{"message": "no"}')
        run = dockersweep("sweep", "--yes", "--older-than", "0s", "--format", "csv", host=engine.url)
        assert run.status == 3
        rows = list(csv.DictReader(io.StringIO(run.stdout, newline=""), strict=True))
        assert [(row["name"], row["status"], row["freed_bytes"]) for row in rows] == [
            ("a", "removed", ""),
            ("b", "failed", ""),
        ]
        assert rows[1]["failed_runs"] == "1"


def test_a_sweep_in_markdown() -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        flags = ["--yes", "--older-than", "0s", "--format", "markdown"]
        run = dockersweep("sweep", *flags, "--verbose", host=engine.url)
        assert dockersweep("sweep", "--dry-run", *flags, host=engine.url).stdout.startswith("# Plan for box\n")
    assert run.stdout.startswith("# Plan for box\n")
    assert "\n# Sweep of box\n\n" in run.stdout
    assert "Removed 1 container, by the default policy" in run.stdout


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("\uff1d1+1", "'\uff1d1+1"),
        ("\uff20SUM(1)", "'\uff20SUM(1)"),
        ("  =1+1", "'  =1+1"),
        ("\u3000=1+1", "'\u3000=1+1"),
        ("a;=1+1;b; @x", "a;'=1+1;b;' @x"),
        ("a-b=c;d", "a-b=c;d"),
        ("\t=1+1", "\\t=1+1"),
        ("\r=1+1", "\\r=1+1"),
    ],
)
def test_what_a_spreadsheet_may_take_for_a_formula_is_none(name: str, cell: str) -> None:
    [[written]] = csv.reader(io.StringIO(csv_text(None, [(name,)]), newline=""), strict=True)
    assert written == cell


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("@all", "@<!-- -->all"),
        ("@_x", "@<!-- -->\\_x"),
        ("by (@somebody)", "by (@<!-- -->somebody)"),
        ("app@sha256:abc", "app@sha256:abc"),
        ("https://evil.example/x", "https\\://evil.example/x"),
        ("at unix:///run/docker.sock", "at unix:///run/docker.sock"),
        ("WWW.evil.example", "WWW\\.evil.example"),
        ("localhost:5000/app:1", "localhost:5000/app:1"),
    ],
)
def test_markdown_links_nowhere_and_calls_nobody(name: str, shown: str) -> None:
    assert markdown_escape(name) == shown


def test_csv_can_do_without_headings() -> None:
    assert csv_text(None, [("a", 1, None)]) == "a,1,\r\n"
