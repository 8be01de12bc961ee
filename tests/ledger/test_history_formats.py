"""The history as JSON, CSV and Markdown, and with names that nobody should trust."""

import json
import os
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from dockersweep.ledger import FILE_NAME, Ledger
from dockersweep.model.document_schemas import json_schema
from dockersweep.model.documents import read_document
from dockersweep.model.history import History
from dockersweep.report.formats.markdown import markdown_escape
from tests.ledger.past_runs import PLAN, Asked, sweep, table
from tests.rig.inventories import ENGINE, NOW, inventory, volume

HOSTILE = "evil\x1b[2J\u202ename"


def test_json_is_a_document_with_a_schema(history: Asked, three_runs: Path) -> None:
    validator = Draft202012Validator(json_schema("history"))
    for arguments in ((), ("1",), ("--object", "app:1"), ("verify",)):
        out = history(*arguments, "--format", "json")[1]
        validator.validate(json.loads(out))
        told = read_document(out.encode(), History, "x")
        assert (told.problems is None) == (arguments != ("verify",))
    full = json.loads(history("1", "--format", "json")[1])
    assert full["path"] == str(three_runs / FILE_NAME)
    assert full["removals"][0]["recognition"]["mounts"] == ["volume:w"]
    assert full["removals"][0]["freed_bytes"] is None


def test_csv_has_a_row_for_each_run_or_removal(history: Asked, three_runs: Path) -> None:
    last, refused, first = table(history("--format", "csv")[1])
    assert (last["state"], last["exit_status"], last["in_hand"]) == ("did-not-end", "", "container c")
    assert (refused["note"], refused["finished_at"]) == ("over a limit of the policy", "2026-11-25T12:00:00Z")
    assert (first["images"], first["tags"], first["failed"], first["measured_bytes"]) == ("2", "0", "1", "")
    rows = table(history("1", "--format", "csv")[1])
    assert [row["name"] for row in rows] == [removal.name for removal in PLAN.removals]
    assert (rows[0]["status"], rows[0]["detail"], rows[0]["size_bytes"]) == ("failed", "device busy", "5")
    assert json.loads(rows[0]["recognition"])["networks"] == ["n"]
    assert {row["id"] for row in table(history("--object", "app:2", "--format", "csv")[1])} == {"sha256:t"}


def test_markdown_has_the_tables(history: Asked, three_runs: Path) -> None:
    lines = history("--format", "markdown")[1].splitlines()
    assert lines[:2] == [f"- {markdown_escape('Runs by root on box at unix:///run/test.sock')}", ""]
    assert lines[2] == "| RUN | WHEN | VERB | REMOVED | FREED | EXIT |"
    assert lines[3] == "| ---: | --- | --- | --- | ---: | ---: |"
    assert (len(lines), lines[7]) == (10, "")
    assert lines[8] == "- Sizes in brackets were predicted, not measured."
    assert "\n\n## Not removed: 1\n\n| STATUS | KIND |" in history("1", "--format", "markdown")[1]


def test_names_from_engines_do_nothing(history: Asked, tmp_path: Path) -> None:
    names = [f"=cmd|{HOSTILE}", f"-{HOSTILE}", f"a|b`{HOSTILE}\r\n|"]
    engine = replace(ENGINE, name="@box\x07")
    seen = inventory(*[volume(name, labels={HOSTILE: HOSTILE}) for name in names], engine=engine)
    with Ledger(tmp_path) as ledger:
        ledger.update_objects(seen, (), NOW)
        sweep(ledger, seen, 0)
        assert ledger.problem is None
    for form in ("table", "csv", "markdown"):
        for arguments in ((), ("1",), ("--object", names[0])):
            out = history(*arguments, "--format", form)[1]
            assert not {"\x1b", "\x07", "\u202e"} & set(out)
    rows = table(history("1", "--format", "csv")[1])
    assert {row["name"][:2] for row in rows} == {"'=", "'-", "a|"}
    assert all(row["engine"].startswith("'@box") for row in rows)
    cells = [line.count(" | ") for line in history("1", "--format", "markdown")[1].splitlines() if "volumes: " in line]
    assert (len(cells), set(cells)) == (3, {3})
    told = read_document(history("1", "--format", "json")[1].encode(), History, "x")
    assert sorted(one.id for one in told.removals) == sorted(names)


@pytest.mark.parametrize("arguments", [(), ("1",), ("--object", "x"), ("verify",)])
def test_without_a_ledger_nothing_is_told_and_none_is_made(
    history: Asked, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    status, out, errors = history(*arguments)
    assert (status, out) == (0, "")
    what = "there is no ledger yet at" if arguments == ("verify",) else "no runs yet: there is no ledger at"
    assert errors == f"{what} {tmp_path / FILE_NAME}\n"
    empty = json.loads(history(*arguments, "--format", "json")[1])
    assert (empty["schema"], empty["runs"]) == ("dockersweep.history/1", [])
    assert table(history(*arguments, "--format", "csv")[1]) == []
    assert os.listdir(tmp_path) == []
