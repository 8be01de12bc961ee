"""The format parquet: what one verb writes, `fleet` reads like the JSON of the same."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dockersweep.warehouse import parquet
from dockersweep.warehouse.database import Warehouse
from dockersweep.warehouse.parquet import ParquetFiles, parquet_of
from dockersweep.warehouse.row_making import rows_of
from dockersweep.warehouse.rows import FindingRow, Rows, RunRow
from tests.commands.calling import SEEN, Caller
from tests.commands.test_guard_rails import removable
from tests.rig.document_folders import engine, outcome_of, write
from tests.rig.fake_engine import fake_engine
from tests.rig.inventories import inventory
from tests.rig.reports import busy_report

VIEWS = ("objects", "shares", "repositories", "findings", "removals")
BESIDE = "EXCLUDE (run, host)"
"""The run is a number of the reading."""


def saved_inventory(folder: Path, name: str) -> str:
    """Save an inventory of a host, and return its path."""
    return str(write(folder, f"{name}.json", replace(inventory(*SEEN), engine=engine(name))))


def rows_in(call: Caller, folder: Path, view: str, order: str = "ALL") -> list[dict[str, Any]]:
    """The rows of a view over a folder."""
    sql = f"SELECT * {BESIDE} FROM {view} ORDER BY {order}"
    said = call("fleet", "query", sql, str(folder), "--policy", "default", "--format", "json")
    assert (said.status, said.err) == (0, "")
    rows: list[dict[str, Any]] = said.json()
    return rows


@pytest.mark.parametrize("line", ["plan --older-than 0s", "report"])
def test_it_has_the_rows_of_the_document(call: Caller, tmp_path: Path, line: str) -> None:
    saved = saved_inventory(tmp_path, "a")
    for name in ("json", "parquet"):
        (tmp_path / name).mkdir()
        said = call(
            *line.split(), "--policy", "default", "--inventory", saved, "-o", str(tmp_path / name / f"a.{name}")
        )
        assert said.status == 0, said.err
    for view in VIEWS:
        assert rows_in(call, tmp_path / "json", view) == rows_in(call, tmp_path / "parquet", view), view
    [of_json], [of_parquet] = (rows_in(call, tmp_path / name, "runs") for name in ("json", "parquet"))
    assert {**of_json, "file": ""} == {**of_parquet, "file": ""}
    assert of_json["reclaimable_low_bytes"] > 0


def test_a_scan_says_nothing_of_a_policy(call: Caller, tmp_path: Path) -> None:
    saved = saved_inventory(tmp_path / "json", "a")
    (tmp_path / "parquet").mkdir()
    assert call("scan", "--inventory", saved, "-o", str(tmp_path / "parquet" / "a.parquet")).status == 0
    of_json, of_parquet = (rows_in(call, tmp_path / name, "objects") for name in ("json", "parquet"))
    assert [{**row, "goes": None} for row in of_json] == of_parquet
    [run] = rows_in(call, tmp_path / "parquet", "runs")
    assert (run["document"], run["policy_source"], run["reclaimable_low_bytes"]) == ("inventory", None, None)
    assert run["unused_low_bytes"] == rows_in(call, tmp_path / "json", "runs")[0]["unused_low_bytes"]
    report = call("fleet", "report", str(tmp_path / "parquet"), "--format", "json").json()
    assert (report["hosts"][0]["findings"], report["hosts"][0]["reclaimable"]) == (None, None)


def test_an_outcome_and_a_trend_come_back(call: Caller, tmp_path: Path) -> None:
    outcome = outcome_of("a", {"x": "removed", "y": "failed"}, measured_bytes=7)
    for name, document in (("a", outcome), ("b", busy_report(20))):
        write(tmp_path / "json", f"{name}.json", document)
        (tmp_path / "parquet").mkdir(exist_ok=True)
        (tmp_path / "parquet" / f"{name}.parquet").write_bytes(parquet_of(rows_of(document)))
    for view in ("outcomes", "objects", "findings"):
        assert rows_in(call, tmp_path / "json", view) == rows_in(call, tmp_path / "parquet", view) != []
    runs = [rows_in(call, tmp_path / name, "runs", "engine") for name in ("json", "parquet")]
    assert [{**row, "file": ""} for row in runs[0]] == [{**row, "file": ""} for row in runs[1]]
    assert [row["bytes_per_day"] for row in runs[0] if row["document"] == "report"] == [525_000_000]


def test_files_may_be_joined(call: Caller, tmp_path: Path) -> None:
    import duckdb

    parts, joined = tmp_path / "parts", tmp_path / "joined"
    parts.mkdir()
    joined.mkdir()
    for name in ("a", "b", "c"):
        saved = saved_inventory(tmp_path, name)
        assert (
            call("report", "--policy", "default", "--inventory", saved, "-o", str(parts / f"{name}.parquet")).status
            == 0
        )
    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM '{parts}/*.parquet') TO '{joined / 'all.parquet'}' (FORMAT parquet)")
    assert rows_in(call, joined, "objects") == rows_in(call, parts, "objects")
    assert len({row["engine"] for row in rows_in(call, joined, "runs")}) == 3


def test_it_needs_a_file_and_is_of_now(call: Caller, saved: str) -> None:
    for line, why in (
        (("report",), "not for a terminal or a pipe: name a file with -o"),
        (("scan", "-o", "-"), "not for a terminal or a pipe: name a file with -o"),
        (("plan", "--next", "7d", "-o", "x.parquet"), "is of the plan of now: leave out --at and --next"),
        (("scan", "--kind", "image", "-o", "x.parquet"), "writes all objects: leave out --kind"),
    ):
        said = call(*line, "--inventory", saved, "--format", "parquet")
        assert (said.status, said.out) == (2, "")
        assert why in said.err


def test_what_is_of_others_or_damaged_is_left_out(tmp_path: Path) -> None:
    import duckdb

    good = parquet_of(rows_of(outcome_of("a", {}, 0)))
    files = {"cut": good[:-40], "empty": b"", "spoiled": good.replace(b"dockersweep.rows/1", b"dockersweep.rows/2")}
    for name, data in files.items():
        (tmp_path / f"{name}.parquet").write_bytes(data)
    with duckdb.connect() as connection:
        for name, sql in (
            ("foreign", "SELECT 1 AS x"),
            ("other", "SELECT 'mine' AS schema"),
            ("claims", "SELECT 'dockersweep.rows/1' AS schema, 'x' AS document"),
        ):
            connection.execute(f"COPY ({sql}) TO '{tmp_path / name}.parquet' (FORMAT parquet)")
    wrong = Rows(runs=[RunRow(run=0, file="")], findings=[_finding("dreadful")])
    with pytest.raises(duckdb.ConstraintException):
        parquet_of(wrong)
    (tmp_path / "good's [1]*.parquet").write_bytes(good)
    place = tmp_path / "private"
    place.mkdir()
    paths = sorted(map(str, tmp_path.glob("*.parquet")))
    with Warehouse(str(place)) as warehouse:
        parquet_files = ParquetFiles(warehouse, str(place), paths, 1)
        parquet_files.load_runs()
        skipped = parquet_files.skipped
        assert warehouse.rows("SELECT file FROM loaded.runs") == [(str(tmp_path / "good's [1]*.parquet"),)]
    words = {Path(file.file).stem: file.why for file in skipped}
    assert set(words) == {*files, "foreign", "other", "claims"}
    assert all(file.file in file.why and str(place) not in file.why for file in skipped)
    assert words["foreign"].endswith("is Parquet, but not of dockersweep")
    assert words["spoiled"].endswith("has rows of a later dockersweep: update dockersweep")


def _finding(severity: Any) -> FindingRow:
    return FindingRow(run=0, finding="DS001", severity=severity, title="x", objects=1, size_bytes=None, fix="")


@pytest.mark.parametrize("is_full", [False, True])
def test_a_sweep_writes_what_became_of_it(call: Caller, monkeypatch: pytest.MonkeyPatch, is_full: bool) -> None:
    """Where it cannot, it writes JSON to standard output: what was removed must be told."""

    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if is_full:
        monkeypatch.setattr(parquet, "private_folder", full)
    monkeypatch.setenv("XDG_STATE_HOME", str(call.folder / "state"))
    folder = call.folder / "outcomes"
    folder.mkdir()
    with fake_engine() as engine:
        removable(engine, "a", "b")
        flags = ("--yes", "--yes-first-time", "--older-than", "0s", "--no-ledger", "--policy", "default")
        said = call("sweep", *flags, "-H", engine.url, "-o", str(folder / "outcome.parquet"))
    if is_full:
        assert said.status == 2
        assert [one["status"] for one in said.json()["outcomes"]] == ["removed", "removed"]
        assert "a temporary file cannot be written: No space left on device" in said.err
    else:
        assert (said.status, said.out) == (0, "")
        assert [row["status"] for row in rows_in(call, folder, "outcomes")] == ["removed", "removed"]
