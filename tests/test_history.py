"""`dockersweep history`: what earlier runs did, in every format, from the ledger alone."""

import csv
import io
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from dockersweep.cli import main
from dockersweep.commands.history import since_instant
from dockersweep.errors import UsageError
from dockersweep.ledger import FILE_NAME, Memory
from dockersweep.model.documents import json_schema, read_document
from dockersweep.model.history import History
from dockersweep.model.inventory import Inventory
from dockersweep.model.outcome import Reclaimed
from dockersweep.policy.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.planner import make_plan
from dockersweep.report.markdown_text import markdown_escape
from tests.inventories import ENGINE, NOW, container, image, inventory, network, record, volume
from tests.test_ledger_runs import PLAN, SEEN, START, document, outcome

DAY = timedelta(days=1)
HOSTILE = "evil\x1b[2J\u202ename"

Said = tuple[int, str, str]
Asked = Callable[..., Said]


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Asked:
    """Run `dockersweep history` on the ledger in the folder of the test; return status, output and errors."""
    monkeypatch.setenv("DOCKERSWEEP_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("COLUMNS", raising=False)

    def ask(*arguments: str) -> Said:
        capsys.readouterr()
        status = main(["history", *arguments])
        return status, *capsys.readouterr()

    return ask


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of `three_runs`."""
    folder = tmp_path_factory.mktemp("three")
    with Memory(folder) as memory:
        memory.remember(SEEN, (), NOW)
        sweep(memory, SEEN, 0)
        memory.begin(replace(START, started_at=NOW + DAY)).finish(4, NOW + DAY, None, "over a limit of the policy")
        memory.remember(inventory(*SEEN.images), (), NOW + 2 * DAY)
        broken = memory.begin(replace(START, started_at=NOW + 2 * DAY, pid=2**22 + 5))
        broken.plan(PLAN, SEEN)
        broken.sending(PLAN.removals[0])
    return folder / FILE_NAME


@pytest.fixture
def three_runs(written: Path, tmp_path: Path) -> Path:
    """The folder of a ledger with a sweep, one that was refused, and one that did not end and whose process is gone."""
    shutil.copy(written, tmp_path)
    return tmp_path


def sweep(memory: Memory, seen: Inventory, day: int, all_images: bool = True) -> None:
    """Remove all that goes; the first fails."""
    plan = make_plan(seen, policy_from_flags(PolicyFlags(all_images=all_images)), NOW)
    run = memory.begin(replace(START, engine=seen.engine, started_at=NOW + day * DAY))
    run.plan(plan, seen)
    for number, removal in enumerate(plan.removals):
        run.sending(removal)
        run.ended(removal, outcome(removal, "removed" if number else "failed", None if number else "device busy"))
    run.finish(3, NOW + day * DAY, None, None)


def test_runs_are_listed_the_newest_first(history: Asked, three_runs: Path) -> None:
    status, out, _ = history()
    assert status == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    removed = "2 images, 1 volume, 1 network, 1 build-cache record, 1 further tag"
    assert lines == [
        "Runs by root on box at unix:///run/test.sock",
        "",
        "RUN WHEN VERB REMOVED FREED EXIT",
        "3 2026-11-26T12:00:00Z sweep nothing; did not end; in hand: container c 0 B -",
        "2 2026-11-25T12:00:00Z sweep nothing; refused 0 B 4",
        f"1 2026-11-24T12:00:00Z sweep {removed}; 1 failed (1.21 kB) 3",
        "",
        "Sizes in brackets were predicted, not measured.",
    ]


def test_engines_and_users_have_a_column_only_where_they_differ(
    history: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    far = replace(ENGINE, id="FAR", name="build-server-7.example.com", endpoint="tcp://build-server-7.example.com:2376")
    wide = Reclaimed(low_bytes=1_234_567, high_bytes=9_876_543_210, measured_bytes=None)
    with Memory(tmp_path) as memory:
        for engine in (ENGINE, far):
            run = memory.begin(replace(START, engine=engine))
            run.plan(PLAN, SEEN)
            for removal in PLAN.removals:
                run.ended(removal, outcome(removal))
            run.finish(0, NOW, replace(document(), reclaimed=wide), None)
    lines = history()[1].splitlines()
    assert (lines[0], lines[2].split()) == (
        "Runs by root",
        ["RUN", "WHEN", "VERB", "ENGINE", "REMOVED", "FREED", "EXIT"],
    )
    assert max(map(len, lines)) <= 80
    far_away, near = [line.split()[3] for line in lines if " sweep " in line]
    assert (far_away[:6], far_away[-4:], near) == ("build-", ".com", "box")
    # Two engines of one machine have one name, and are told apart by where they are.
    with Memory(tmp_path) as memory:
        memory.begin(replace(START, engine=replace(ENGINE, id="P", endpoint="unix:///p"), user="ci")).finish(
            0, NOW, None, None
        )
    monkeypatch.delenv("COLUMNS")
    lines = history()[1].splitlines()
    assert lines[0].split() == ["RUN", "WHEN", "VERB", "ENGINE", "REMOVED", "FREED", "EXIT", "WHO"]
    assert [line.split()[3] for line in lines[1:4]] == ["unix:///p", far.endpoint, "unix:///run/test.sock"]
    assert [line.split()[-1] for line in lines[1:4]] == ["ci", "root", "root"]


def test_measured_bytes_go_before_predicted(history: Asked, tmp_path: Path) -> None:
    with Memory(tmp_path) as memory:
        memory.begin(START).finish(0, NOW, document(), None)
    assert " 12 B " in history()[1]


def test_the_table_fits_a_terminal(history: Asked, three_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for arguments in ((), ("1",), ("--object", "app:1")):
        assert max(map(len, history(*arguments)[1].splitlines())) <= 80


def test_one_run_is_told_in_full(history: Asked, three_runs: Path) -> None:
    status, out, _ = history("1")
    assert status == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert f"run 1: sweep by root, process {os.getpid()}, dockersweep 0.1.0" in lines
    assert "asked for by the default policy" in lines
    assert "exit status 3" in lines
    why = "stopped containers: stopped for 10 days, over 24 hours"
    assert lines[lines.index("Not removed: 1") + 1 :][:2] == [
        "STATUS KIND NAME WHY", f"failed container c device busy; was to go by {why}"
    ]  # fmt: skip
    titles = [line for line in lines if " removed: " in line and not line.startswith("Not ")]
    kinds = ("Images", 2), ("Volumes", 1), ("Networks", 1), ("Build cache", 1), ("Tags", 1)
    assert titles == [f"{kind} removed: {count}" for kind, count in kinds]
    tags = lines[lines.index("Tags removed: 1") + 1 :]
    assert (tags[0], tags[1].startswith("app:2 unused tagged images: ")) == ("NAME WHY", True)


def test_a_rule_is_named_once_for_reasons_of_its_own_and_no_record_by_another(history: Asked, tmp_path: Path) -> None:
    seen = inventory(container("c", networks=["n"]), network("n"), record("r", "q"), record("q"))
    with Memory(tmp_path) as memory:
        sweep(memory, seen, 0)
    out = history("1")[1]
    lines = [" ".join(line.split()) for line in out.splitlines()]
    rows = [line for line in lines if line.startswith("n unused networks: ")]
    assert [row.count("unused networks: ") for row in rows] == [1]
    assert "which goes too" in rows[0]
    assert "parent of" not in out


def test_what_is_not_there_is_called_so(history: Asked, tmp_path: Path) -> None:
    with Memory(tmp_path) as memory:
        run = memory.begin(START)
        run.plan(PLAN, SEEN)
        run.ended(PLAN.removals[0], outcome(PLAN.removals[0], "gone", "gone since, or never there"))
        run.finish(0, NOW, None, None)
    assert "; 1 not attempted, 1 not there" in history()[1].replace(f"{len(PLAN.removals) - 1} not", "1 not")
    assert "not there container c gone since, or never there; " in " ".join(history("1")[1].split())


def test_what_a_run_removed_is_gone_before_a_scan_finds_it_out(history: Asked, tmp_path: Path) -> None:
    with Memory(tmp_path) as memory:
        memory.remember(inventory(volume("a"), volume("v")), (), NOW)
        sweep(memory, inventory(volume("a"), volume("v")), 0)
    first = history("--object", "v")[1].splitlines()[0]
    assert first == "Volume v on box: gone, by run 1, first seen 2026-11-24T12:00:00Z, last seen 2026-11-24T12:00:00Z."
    # What failed is there, and what came back is too.
    assert history("--object", "a")[1].startswith("Volume a on box: there, ")
    with Memory(tmp_path) as memory:
        memory.remember(inventory(volume("v")), (), datetime.now(UTC) + DAY)
    assert history("--object", "v")[1].startswith("Volume v on box: there, ")


def test_why_a_run_was_refused_is_told(history: Asked, three_runs: Path) -> None:
    assert "why over a limit of the policy" in [" ".join(line.split()) for line in history("2")[1].splitlines()]


def test_a_run_that_is_not_there_is_wrong_usage(history: Asked, three_runs: Path) -> None:
    assert history("7") == (2, "", "dockersweep: there is no run 7: the ledger has runs 1, 2 and 3\n")
    with Memory(three_runs) as memory:
        for _ in range(10):
            memory.begin(START).finish(0, NOW, None, None)
    assert "the ledger has runs from 1 to 13\n" in history("99")[2]
    with Memory(three_runs) as memory:
        memory.forget_before(NOW + DAY)
        assert "runs 2 and 3\n" in history("1")[2]
        memory.forget_before(NOW + 2 * DAY)
        assert "the ledger has only run 3\n" in history("1")[2]
        # What has no end is not forgotten: the next run has to look at what it had in hand.
        memory.forget_before(NOW + 9 * DAY)
        assert "the ledger has only run 3\n" in history("1")[2]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("c", {"c"}),
        ("/c", {"c"}),
        ("container:c", {"c"}),
        ("image:c", None),
        ("app:1", {"sha256:t"}),
        ("app:2", {"sha256:t"}),
        ("docker.io/library/app:1", {"sha256:t"}),
        ("image:app:1", {"sha256:t"}),
        ("sha256:t", {"sha256:t"}),
        ("t", {"sha256:t"}),
        ("net-", {"net-n"}),
        ("n", {"net-n"}),
        ("step r", {"r"}),
        ("volume:v", {"v"}),
        ("volume:", None),
        ("zz", None),
    ],
)
def test_an_object_is_found_by_all_that_it_was_called(
    history: Asked, three_runs: Path, text: str, ids: set[str] | None
) -> None:
    status, out, errors = history("--object", text, "--format", "json")
    if ids is None:
        assert (status, out) == (2, "")
        assert f'nothing in the ledger was ever called "{text}"' in errors
    else:
        told = json.loads(out)
        assert {one["id"] for one in told["lives"]} == {one["id"] for one in told["removals"]} == ids


def test_a_whole_name_wins_over_the_beginning_of_an_id(history: Asked, tmp_path: Path) -> None:
    with Memory(tmp_path) as memory:
        memory.remember(inventory(container("web"), container("web-2"), image("web3"), volume("web4")), (), NOW)
    assert [one["id"] for one in json.loads(history("--object", "web", "--format", "json")[1])["lives"]] == ["web"]
    told = json.loads(history("--object", "we", "--format", "json")[1])
    assert {one["id"] for one in told["lives"]} == {"web", "web-2", "sha256:web3"}


def test_an_image_is_found_by_the_tag_that_it_had(history: Asked, tmp_path: Path) -> None:
    with Memory(tmp_path) as memory:
        memory.remember(inventory(image("old", "app:1")), (), NOW)
        memory.remember(inventory(image("old"), image("new", "app:1")), (), NOW + DAY)
        memory.remember(inventory(image("new", "app:1")), (), NOW + 2 * DAY)
    told = json.loads(history("--object", "app:1", "--format", "json")[1])
    assert [(one["id"], one["names"]) for one in told["lives"]] == [
        ("sha256:new", ["app:1"]),
        ("sha256:old", ["old", "app:1"]),
    ]


def test_what_became_of_an_object_is_told_over_its_lives(history: Asked, tmp_path: Path) -> None:
    there, gone = inventory(container("web", image="i")), inventory()
    with Memory(tmp_path) as memory:
        for day, seen in enumerate((there, there, gone, there)):
            memory.remember(seen, (), NOW + day * DAY)
            if seen is there:
                sweep(memory, seen, day)
    status, out, _ = history("--object", "web")
    assert status == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[:2] == [
        (
            "Container web (web) on box: there, first seen 2026-11-27T12:00:00Z, last seen 2026-11-27T12:00:00Z, "
            "unused since 2026-11-27T12:00:00Z."
        ),
        "Container web (web) on box: gone, first seen 2026-11-24T12:00:00Z, last seen 2026-11-25T12:00:00Z.",
    ]
    assert [line.split()[0] for line in lines if "device busy" in line] == ["3", "2", "1"]
    assert "What it was in run 3" in lines
    assert "image i" in lines
    # What was over before, and runs that began before, are left out.
    told = json.loads(history("--object", "web", "--since", "2026-11-26", "--format", "json")[1])
    assert ([one["is_there"] for one in told["lives"]], [one["run"] for one in told["removals"]]) == ([True], [3])


def test_since_leaves_out_older_runs(history: Asked, three_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKERSWEEP_NOW", "2026-11-27T12:00:00Z")
    for since, runs in (("2026-11-25", [3, 2]), ("2d", [3, 2]), ("47h", [3]), ("2026-11-26T13:00+01:00", [3])):
        told = json.loads(history("--since", since, "--format", "json")[1])
        assert [run["number"] for run in told["runs"]] == runs, since
    status, out, errors = history("--since", "1h")
    assert (status, out) == (0, "")
    assert errors == f"no runs since 2026-11-27T11:00:00Z: in {three_runs / FILE_NAME}\n"


def test_since_is_an_age_or_a_date() -> None:
    assert since_instant("2026-11-01", NOW) == datetime(2026, 11, 1, tzinfo=UTC)
    assert since_instant("2026-11-01T18:30", NOW) == datetime(2026, 11, 1, 18, 30, tzinfo=UTC)
    assert since_instant("2026-11-01 18:30:00+02:00", NOW) == datetime(2026, 11, 1, 16, 30, tzinfo=UTC)
    assert since_instant("1mo", NOW) == NOW.replace(month=10)
    assert since_instant("0s", NOW) == NOW
    assert since_instant("0001-01-01", NOW).year == 1
    for text in ("", "yesterday", "7", "-3d", "2026-13-01", "0001-01-01T00:00+14:00"):
        with pytest.raises(UsageError, match=r"--since: .*neither an age nor a date: write"):
            since_instant(text, NOW)


def test_json_is_a_document_with_a_schema(history: Asked, three_runs: Path) -> None:
    validator = Draft202012Validator(json_schema("history"))
    for arguments in ((), ("1",), ("--object", "app:1"), ("verify",)):
        out = history(*arguments, "--format", "json")[1]
        validator.validate(json.loads(out))
        told = read_document(out.encode(), History, "x")
        assert (told.problems is None) == (arguments != ("verify",))
    full = json.loads(history("1", "--format", "json")[1])
    assert full["path"] == str(three_runs / FILE_NAME)
    assert full["removals"][0]["recognition"]["mounts"] == ["volume:v"]
    assert full["removals"][0]["freed_bytes"] is None


def table(text: str) -> list[dict[str, str]]:
    assert text.endswith("\r\n")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_has_a_row_for_each_run_or_removal(history: Asked, three_runs: Path) -> None:
    last, refused, first = table(history("--format", "csv")[1])
    assert (last["state"], last["exit_status"], last["in_hand"]) == ("did-not-end", "", "container c")
    assert (refused["note"], refused["finished_at"]) == ("over a limit of the policy", "2026-11-25T12:00:00Z")
    assert (first["images"], first["tags"], first["failed"], first["measured_bytes"]) == ("2", "1", "1", "")
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
    assert (len(lines), lines[7]) == (9, "")
    assert lines[8] == "- Sizes in brackets were predicted, not measured."
    assert "\n\n## Not removed: 1\n\n| STATUS | KIND |" in history("1", "--format", "markdown")[1]


def test_names_from_engines_do_nothing(history: Asked, tmp_path: Path) -> None:
    names = [f"=cmd|{HOSTILE}", f"-{HOSTILE}", f"a|b`{HOSTILE}\r\n|"]
    engine = replace(ENGINE, name="@box\x07")
    seen = inventory(*[volume(name, labels={HOSTILE: HOSTILE}) for name in names], engine=engine)
    with Memory(tmp_path) as memory:
        memory.remember(seen, (), NOW)
        sweep(memory, seen, 0)
        assert memory.problem is None
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


def test_a_ledger_without_runs_says_so(history: Asked, tmp_path: Path) -> None:
    Memory(tmp_path).close()
    assert history() == (0, "", f"no runs yet: in {tmp_path / FILE_NAME}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["1", "--object", "x"], "history RUN speaks of one thing: leave out --object and --since"),
        (["1", "--since", "1d"], "history RUN speaks of one thing"),
        (["verify", "--since", "1d"], "history verify speaks of one thing"),
        (["--object", ""], "the name of the object is empty"),
        (["--host", "unix:///x"], "history reads the ledger and asks no engine: leave out --host and --context"),
        (["one"], '"one" is no number of a run, and not verify'),
        (["--since", "soon"], '--since: "soon" is neither an age nor a date'),
        (["--format", "html"], "invalid choice: 'html'"),
    ],
)
def test_wrong_usage_is_said(history: Asked, arguments: list[str], said: str) -> None:
    status, out, errors = history(*arguments)
    assert (status, out) == (2, "")
    assert said in errors
    assert errors.count("\n") == 1


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


def test_many_lives_are_told_in_json_only(history: Asked, tmp_path: Path) -> None:
    with Memory(tmp_path) as memory:
        for _ in range(25):
            memory.remember(inventory(container("web")), (), NOW)
            memory.remember(inventory(), (), NOW)
    lines = history("--object", "web")[1].splitlines()
    assert lines[-1] == "5 more have been called so; --format json has them all."
    assert len(lines) == 21
    assert len(json.loads(history("--object", "web", "--format", "json")[1])["lives"]) == 25


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
    "PRAGMA user_version = 7": "the file was written by a newer dockersweep (version 7)",
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
    with open(three_runs / FILE_NAME, "r+b") as file:
        file.seek(4096 * 3 + 8)
        file.write(b"\xff" * 64)
    status, out, _ = history("verify")
    assert status == 2
    assert "the file is damaged: " in out or "is damaged (" in out


def test_history_reads_while_a_run_writes(history: Asked, three_runs: Path) -> None:
    with Memory(three_runs) as memory, closing(sqlite3.connect(three_runs / FILE_NAME, isolation_level=None)) as other:
        run = memory.begin(START)
        other.execute("BEGIN IMMEDIATE")
        told: Any = json.loads(history("--format", "json")[1])
        latest = told["runs"][0]
        assert (latest["number"], latest["state"]) == (run.number, "running")
        assert "nothing yet; still running (process" in history()[1]
        other.execute("ROLLBACK")
