"""`dockersweep history verify`, and a history that does not hold."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dockersweep.ledger import FILE_NAME
from dockersweep.ledger.schema import VERSION
from tests.ledger.past_runs import Asked, table


def test_a_ledger_that_cannot_be_read_is_an_error(history: Asked, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 1000)
    assert history() == (2, "", f"dockersweep: {tmp_path / FILE_NAME} is damaged (file is not a database)\n")
    assert (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE removals SET reasons = '[['",
        "UPDATE removals SET recognition = 5",
        "UPDATE removals SET kind = 'pod'",
        "UPDATE outcomes SET status = 7",
        "UPDATE runs SET pid = 'x'",
        "UPDATE runs SET started_at = 1 << 60",
        "UPDATE objects SET kind = 'pod'",
        "UPDATE former_objects SET names = x'ff00'",
    ],
)
def test_rows_that_do_not_hold_are_an_error(history: Asked, three_runs: Path, change: str) -> None:
    with closing(sqlite3.connect(three_runs / FILE_NAME)) as database, database:
        database.execute(change)
    arguments = ("--object", "c") if "objects" in change else ("1",)
    status, out, errors = history(*arguments)
    assert (status, out) == (2, "")
    assert "ledger.sqlite3 is damaged (" in errors or "ledger.sqlite3 cannot be used: " in errors


def test_verify_finds_nothing_wrong_with_what_runs_wrote(history: Asked, three_runs: Path) -> None:
    assert history("verify") == (0, f"{three_runs / FILE_NAME}: nothing is wrong with it\n", "")
    assert table(history("verify", "--format", "csv")[1]) == []
    assert json.loads(history("verify", "--format", "json")[1])["problems"] == []


CONTRADICTIONS = {
    "UPDATE runs SET state = 'ended' WHERE number = 3": "run 3 ended, and its removal 0 has no outcome",
    "UPDATE outcomes SET status = 'x' WHERE run = 1": 'run 1 has the outcome "x", which there is not',
    "UPDATE runs SET state = 'odd' WHERE number = 2": 'run 2 is "odd", which no run can be',
    "UPDATE runs SET exit_status = NULL WHERE number = 2": "run 2 ended and has no exit status",
    "DELETE FROM runs WHERE number = 1": "run 1 has removals, and nothing tells of the run itself",
    "DELETE FROM removals WHERE position = 1": "run 1 has an outcome of its removal 1, which was not planned",
    "UPDATE runs SET engine = 9 WHERE number = 2": "run 2 is of no engine",
    "UPDATE objects SET kind = 'pod' WHERE id = 'sha256:t'": "pod sha256:t is of a kind that there is not",
    "UPDATE former_objects SET last_seen = 1 WHERE id = 'c'": "container c was last seen before it was first seen",
    "DROP INDEX runs_by_age": "the file is damaged (it has no index runs_by_age)",
    f"PRAGMA user_version = {VERSION + 1}": f"the file was written by a newer dockersweep (version {VERSION + 1})",
}


@pytest.mark.parametrize("change", CONTRADICTIONS)
def test_verify_says_what_contradicts_what(history: Asked, three_runs: Path, change: str) -> None:
    with closing(sqlite3.connect(three_runs / FILE_NAME)) as database, database:
        database.execute(change)
    status, out, _ = history("verify", "--format", "json")
    assert status == 2
    assert CONTRADICTIONS[change] in json.loads(out)["problems"]
    assert f"{three_runs / FILE_NAME}: {CONTRADICTIONS[change]}\n" in history("verify")[1]


def test_verify_finds_a_damaged_page(history: Asked, three_runs: Path) -> None:
    with closing(sqlite3.connect(three_runs / FILE_NAME)) as database:
        page = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'objects'").fetchone()[0]
    with open(three_runs / FILE_NAME, "r+b") as file:
        file.seek(4096 * (page - 1) + 8)
        file.write(b"\xff" * 64)
    status, out, _ = history("verify")
    assert status == 2
    assert "the file is damaged: " in out or "is damaged (" in out
