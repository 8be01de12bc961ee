"""`fleet query`: what it finds, what it must not reach, and how it says what is wrong."""

import csv
import io
import json
import re
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from dockersweep.warehouse.columns import columns_of, declared_columns
from dockersweep.warehouse.rows import TABLES
from tests.commands.calling import Caller
from tests.rig.document_folders import engine, fleet_of, host, report_of, write
from tests.rig.inventories import container, image, inventory, volume
from tests.rig.reports import reported

PAGE = Path(__file__).parents[2] / "man" / "dockersweep.1"


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A folder with a report, an inventory and a fleet."""
    place = tmp_path / "documents"
    write(place, "a.json", report_of("a", [reported("volume", "data", 7, driver="nfs")]))
    seen = inventory(container("c"), image("i", "app:1", "app:2"), volume("v"))
    write(place, "b.json", replace(seen, engine=engine("b")))
    write(place, "fleet.json", fleet_of(host("x", report_of("x")), host("y", groups=("ci", "big"))))
    return str(place)


def test_it_finds_what_documents_have(call: Caller, folder: str) -> None:
    said = call("fleet", "query", "SELECT host, name, tags, size_bytes FROM images", folder, "--format", "json")
    assert (said.status, said.err) == (0, "")
    assert said.json() == [{"host": "b", "name": "app:1", "tags": ["app:1", "app:2"], "size_bytes": 100}]
    said = call("fleet", "query", "SELECT host, status, groups FROM runs WHERE document IS NULL", folder)
    assert said.out.split() == ["host", "status", "groups", "y", "not-reached", '["ci",', '"big"]']


def test_each_format_has_the_rows(call: Caller, folder: str) -> None:
    sql = "SELECT host, made_at, 1.5 AS n, NULL AS nothing FROM runs WHERE host = 'a'"
    rows = list(csv.reader(io.StringIO(call("fleet", "query", sql, folder, "--format", "csv").out)))
    assert rows == [["host", "made_at", "n", "nothing"], ["a", "2026-11-24T12:00:00Z", "1.5", ""]]
    assert call("fleet", "query", sql, folder).out.splitlines()[1].split("  ")[-1].strip() == "NULL"
    assert (
        "| a | 2026-11-24 12:00:00 UTC | 1.5 | NULL |"
        in call("fleet", "query", sql, folder, "--format", "markdown").out
    )
    for name in ("html", "prometheus"):
        said = call("fleet", "query", sql, folder, "--format", name)
        assert (said.status, said.out) == (2, "")
        assert f"fleet query has no format {name}" in said.err
    assert call("fleet", "query", "SELECT host FROM runs WHERE host = 'none'", folder).out == "No rows.\n"


def test_a_result_depends_on_no_other_view_that_is_named(call: Caller, folder: str) -> None:
    sql = "SELECT used_low_bytes, unused_low_bytes FROM runs WHERE host = 'b'"
    alone = call("fleet", "query", sql, folder, "--format", "json").json()
    with_objects = call("fleet", "query", f"{sql} AND 0 < (SELECT count(*) FROM objects)", folder, "--format", "json")
    assert alone == with_objects.json()
    assert alone[0]["used_low_bytes"] is not None


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_blob('{secret}')",
        "SELECT * FROM read_json('{secret}')",
        "SELECT * FROM read_parquet('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM 'https://example.com/a.parquet'",
        "COPY (SELECT 1) TO '{secret}'",
        "COPY (SELECT 1) TO '/tmp/stolen.csv'",
        "ATTACH '{secret}' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "CREATE TABLE mine AS SELECT 1",
        "DELETE FROM loaded.runs",
        "EXPORT DATABASE '/tmp/stolen'",
        "CALL pragma_version()",
        "SELECT 1; SELECT * FROM runs",
        "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
        "SELECT getenv('HOME')",
        "SELECT * FROM sql",
        "",
        "-- nothing",
        "SELEC",
    ],
)
def test_it_reaches_nothing_else(call: Caller, folder: str, sql: str) -> None:
    secret = call.folder / "secret.json"
    secret.write_text('{"secret": 1}')
    said = call("fleet", "query", sql.format(secret=secret), folder)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("dockersweep: ")
    assert said.err.count("\n") == 1
    assert secret.read_text() == '{"secret": 1}'


def test_a_query_that_fails_says_why(call: Caller, folder: str) -> None:
    said = call("fleet", "query", "SELECT sze_bytes FROM objects", folder)
    assert said.err.startswith('dockersweep: the query fails: Referenced column "sze_bytes" not found')
    said = call("fleet", "query", "SELECT host, host FROM runs", folder, "--format", "json")
    assert (said.status, said.err) == (2, "dockersweep: two columns are called host: name one of them anew, with AS\n")
    assert call("fleet", "query").err == (
        'dockersweep: a query is missing: write one like fleet query "SELECT host, used_high_bytes FROM hosts"\n'
    )


def test_text_of_engines_is_safe_in_every_format(call: Caller, tmp_path: Path) -> None:
    bad = "=cmd|\x1b[31m<b>|\u202e'; DROP TABLE loaded.runs; --"
    place = tmp_path / "documents"
    write(place, "a'*[1].json", report_of(bad, [reported("volume", bad, 1, driver=bad, why=bad)]))
    for name in ("table", "csv", "markdown"):
        out = call("fleet", "query", "SELECT host, name, driver FROM volumes", str(place), "--format", name).out
        assert "\\x1b[31m" in out.replace("\\\\", "\\").replace("\\[", "[")
        assert not {"\x1b", "\u202e"} & set(out)
    text = call("fleet", "query", "SELECT host FROM volumes", str(place), "--format", "csv").out
    assert text.splitlines()[1].startswith("'=cmd")
    said = call("fleet", "query", "SELECT host FROM volumes", str(place), "--format", "json")
    assert json.loads(said.out) == [{"host": bad}]


def test_where_duckdb_is_missing_it_says_how_to_install_it(
    call: Caller, folder: str, saved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    lines = (
        ["fleet", "report", folder],
        ["fleet", "query", "SELECT 1", folder],
        ["report", "--inventory", saved, "--policy", "default", "-o", str(call.folder / "x.parquet")],
    )
    for line in lines:
        said = call(*line)
        assert (said.status, said.out) == (2, "")
        assert said.err.endswith("install dockersweep with its extra fleet, by `pip install 'dockersweep[fleet]'`\n")


def test_the_manual_has_the_views_with_their_columns(call: Caller, folder: str) -> None:
    text = PAGE.read_text().split(".SS The views of a fleet\n")[1].split("\n.SS ")[0]
    text = re.sub(r"\\\(aq|\\-", lambda escape: {"\\-": "-"}.get(escape[0], "'"), text)
    told = {
        name: set(re.findall(r"\w+", words))
        for name, words in re.findall(r"\.TP\n\.B (.+)\n((?s:.*?))(?=\.TP|$)", text)
    }
    shared = set(re.findall(r"\w+", text.split(".TP")[0]))
    shown = call("fleet", "query", "SHOW TABLES", folder, "--format", "json").json()
    views = {row["name"] for row in shown}
    assert {name for names in told for name in names.split(", ")} == views
    for view in views - {"images", "volumes"}:
        columns = call("fleet", "query", f"DESCRIBE {view}", folder, "--format", "json").json()
        known = told[view] | shared | (told["runs"] if view == "hosts" else set())
        assert {column["column_name"] for column in columns} <= known, view


def test_words_of_columns_are_checked_and_what_is_always_known_is_not_null() -> None:
    assert declared_columns(TABLES["findings"]).startswith(
        "run BIGINT NOT NULL, finding VARCHAR NOT NULL, severity VARCHAR NOT NULL CHECK (severity IN ('critical', "
    )
    assert columns_of(TABLES["objects"])["tags"] == "VARCHAR[]"
