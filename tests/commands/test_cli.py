"""The command line as its users meet it: help, wrong usage, files, terminals."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from dockersweep import __version__, cli
from dockersweep.commands import sweep
from dockersweep.errors import DockersweepError, HostsError
from dockersweep.model.document_schemas import DOCUMENTS
from dockersweep.model.inventory import KINDS
from dockersweep.parser import build_parser, shared_flags, verbs
from dockersweep.parser.argument_parser import StoreOnce
from dockersweep.report.scan import SortKey
from dockersweep.words.documents import write_document
from tests.rig.fake_containers import with_containers
from tests.rig.fake_engine import fake_engine
from tests.rig.inventories import container, image, inventory, network, record, volume, write_inventory
from tests.rig.running import dockersweep, on_a_terminal

SEEN = inventory(
    container("web-with-a-very-long-name-that-nobody-would-type-by-hand-but-compose-does-1", size=4096),
    container("db", "running", image="sha256:b", volumes=["data"]),
    image("a", size=21_000_000),
    image("b", "registry.example.com/some/team/some-application:2026-11-24-build-4711", size=900_000_000),
    volume("f" * 64, size=300_000),
    volume("data", anonymous=False),
    network("shop"),
    record("r"),
)

VERBS = {
    "scan": [], "plan": [], "sweep": ["--yes"], "apply": ["plan.json"], "report": [], "explain": ["app"], "history": [],
    "restore": ["12"], "watch": [], "swarm": ["scan"], "archive": ["list"], "fleet": ["report"], "policy": ["show"],
    "schema": ["plan"], "completion": ["bash"], "docker-plugin": ["install"], "man": [],
}  # fmt: skip
"""Each verb, with what it cannot be called without."""


@pytest.fixture
def saved(tmp_path: Path) -> str:
    return write_inventory(tmp_path, SEEN)


@pytest.mark.parametrize("word", ["--version", "version"])
def test_version(word: str) -> None:
    run = dockersweep(word)
    assert (run.status, run.stdout) == (0, f"dockersweep {__version__}\n")


def test_help_is_a_verb_too() -> None:
    assert dockersweep("help").stdout == dockersweep("help", "help").stdout == dockersweep("--help").stdout
    assert dockersweep("help", "plan").stdout == dockersweep("plan", "--help").stdout


def test_all_verbs_are_here() -> None:
    assert list(VERBS) == list(verbs.ADD_VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_without_the_packages_it_needs_it_says_how_to_install(verb: str) -> None:
    command = [sys.executable, "-S", "-m", "dockersweep", verb, *VERBS[verb]]
    checkout = Path(__file__).parents[2]
    done = subprocess.run(
        command, cwd=checkout, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("dockersweep: the Python package ")
    assert done.stderr.endswith("by `pip install .` in its checkout\n")
    assert done.stderr.count("\n") == 1


def test_a_plan_in_a_file_is_told_on_a_terminal(saved: str, tmp_path: Path) -> None:
    asked = ["plan", "--inventory", saved, "--older-than", "0s"]
    path = str(tmp_path / "a plan.json")
    status, shown = on_a_terminal([*asked, "-o", path], "")
    went = f"Saved in {path}, 5 objects to remove: carry it out with dockersweep apply '{path}'"
    assert (status, went in shown) == (0, True), shown
    assert "carry it out" not in on_a_terminal([*asked, "--at", "+400d", "-o", path], "")[1]
    kept = [*asked, "--keep-name", "*", "--kind", "volume", "-o", f"{path}.csv", "--format", "csv"]
    assert f"Saved in {path}.csv, nothing to remove\r\n" in on_a_terminal(kept, "")[1]
    assert "Saved" not in dockersweep(*asked, "-o", path).stderr


def test_no_arguments_are_help_for_a_person_and_wrong_for_cron() -> None:
    status, shown = on_a_terminal([], "")
    assert (status, shown.replace("\r\n", "\n")) == (0, dockersweep("--help").stdout)
    assert dockersweep().status == 2


def test_help_names_the_verbs_in_the_order_of_use_with_an_example_each() -> None:
    run = dockersweep("--help")
    assert run.status == 0
    lines = [line for line in run.stdout.splitlines() if line.startswith("  ") and " dockersweep " in line]
    verbs = ["scan", "plan", "sweep", "apply", "report", "explain", "history", "restore", "watch"]
    verbs += ["swarm", "archive", "fleet", "policy", "schema", "completion", "man"]
    assert [line.split()[0] for line in lines] == verbs
    assert all(len(line) <= 80 for line in run.stdout.splitlines())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            [],
            "a verb is missing: scan, plan, sweep, apply, report, explain, history, restore, watch, swarm, archive, ",
        ),
        (["wipe"], 'argument VERB: there is no "wipe": choose from scan, plan, sweep'),
        (["swep"], 'argument VERB: there is no "swep"; did you mean sweep? see `dockersweep --help`'),
        (["check", "one.toml"], 'argument VERB: there is no "check"; did you mean policy check? see'),
        (["sweep", "web-1", "--dryrun"], "unrecognized arguments: web-1 --dryrun; did you mean --dry-run?"),
        (["help", "swep"], 'argument VERB: there is no "swep"; did you mean sweep?'),
        # Only the dashes are alike.
        (["watch", "--yes"], "unrecognized arguments: --yes"),
        (["watch", "--interval", "0s"], '"0s" is no interval: write seconds, minutes or hours, like 5s'),
        (["sweep", "--dryrun"], "unrecognized arguments: --dryrun; did you mean --dry-run?"),
        (["scan", "--keep-nam=x"], "unrecognized arguments: --keep-nam=x; see"),
        (["plan", "--keep-nam=x"], "unrecognized arguments: --keep-nam=x; did you mean --keep-name?"),
        (["plan", "--kind", "images"], 'argument --kind: there is no "images"; did you mean image?'),
        (["scan", "--format", "{{.ID}}"], "argument --format: there are no templates: write --format json"),
        (["scan", "--format", "jsn"], 'argument --format: there is no "jsn"; did you mean json?'),
        (["scan", "--colour"], "unrecognized arguments: --colour; see `dockersweep scan --help`"),
        (["plan", "--kind", "disk"], 'argument --kind: there is no "disk": choose from container, image,'),
        (["plan", "--older-than", "7 parsecs"], 'argument --older-than: "7 parsecs" is not an age: there is no unit'),
        (["plan", "--older-than=-3d"], '"-3d" is not an age: it cannot be negative'),
        (["plan", "--older-than", "-3d"], '"-3d" is not an age: it cannot be negative'),
        (["plan", "--older-than", ""], "an age is missing: write a number and a unit"),
        (["plan", "--older-than", "5"], '"5" is not an age: it has no unit'),
        (["plan", "--older-than"], "argument --older-than: expected one argument; see `dockersweep plan --help`"),
        (["scan", "--size-timeout", "0s"], '"0s" is no time-out'),
        (["scan", "--size-timeout", "1mo"], '"1mo" is no time-out'),
        (["scan", "--sort", "colour"], 'argument --sort: there is no "colour": choose from size, age, name'),
        (["scan", "--filter", "colour=red"], 'there is no filter "colour"; there are name, label, project'),
        (["scan", "--filter", "name"], 'the filter "name" has no value: write name=VALUE'),
        (["scan", "--filter", "until=soon"], '"soon" is not an age'),
        (["scan", "--format", "yaml"], 'argument --format: there is no "yaml": choose from table, json'),
        (["--format", "table", "schema", "plan"], "schema has no format table, only json"),
        (["scan", "--format", "json", "--kind", "image"], "--format json writes the whole inventory"),
        (["scan", "--format", "json", "--sort", "age"], "--format json writes the whole inventory"),
        (["-H", "unix:///a", "-c", "b", "scan"], "--host and --context name the hosts each: give one of them"),
        (["-H", "unix:///a", "scan", "--inventory", "x"], "leave out --host, --context and --tlsverify"),
        (["scan", "--inventory", "/none.json"], "/none.json cannot be read: No such file or directory"),
        (["scan", "--inventory", "/"], "/ cannot be read: Is a directory"),
        (["sweep", "--yes", "--exit-code"], "--exit-code tells what a plan holds: it goes with --dry-run"),
        (["schema", "nothing"], 'argument NAME: there is no "nothing": choose from inventory'),
    ],
)
def test_wrong_usage_is_said_in_one_sentence(arguments: list[str], message: str) -> None:
    run = dockersweep(*arguments)
    assert (run.status, run.stdout) == (2, "")
    assert message in run.stderr
    assert run.stderr.startswith("dockersweep: ")
    assert len(run.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "flag"),
    [
        (["-H", "unix:///a", "-H", "unix:///b", "policy", "show"], "--host"),
        (["-H", "unix:///a", "policy", "test", "--host", "unix:///b"], "--host"),
        (["completion", "names", "-H", "unix:///a", "-H", "unix:///a"], "--host"),
        (["-c", "a", "policy", "show", "--context", "b"], "--context"),
        (["plan", "--fleet", "a.toml", "--fleet", "b.toml"], "--fleet"),
        (["report", "--inventory", "a.json", "--inventory", "b.json"], "--inventory"),
        (["--policy", "a.toml", "sweep", "--policy", "b.toml"], "--policy"),
        (["sweep", "--dry-run", "--max-objects", "9", "--max-objects", "99"], "--max-objects"),
        (["apply", "plan.json", "-o", "a", "-o", "b"], "--output"),
        (["apply", "plan.json", "--format", "json", "--format", "csv"], "--format"),
    ],
)
def test_a_flag_that_is_taken_once_is_refused_twice(arguments: list[str], flag: str) -> None:
    run = dockersweep(*arguments)
    assert (run.status, run.stdout) == (2, "")
    assert run.stderr == f"dockersweep: {flag} is given more than once: give it once\n"


def test_a_verb_that_only_reads_warns_of_a_flag_that_is_given_twice(saved: str, tmp_path: Path) -> None:
    other = str(tmp_path / "other.json")
    run = dockersweep("--format", "json", "scan", "--format", "json", "-o", other, "-o", "-", "--inventory", saved)
    assert run.json()["schema"] == "dockersweep.inventory/1"
    assert not Path(other).exists()
    assert run.stderr.splitlines() == [
        "dockersweep: --format is given more than once; the last one is used",
        "dockersweep: --output is given more than once; the last one is used",
    ]


def test_flags_that_add_up_are_given_as_often_as_wanted(saved: str) -> None:
    twice = ["--kind", "image", "--kind", "volume", "--keep-name", "a", "--keep-name", "b", "-v", "-v"]
    assert dockersweep("plan", *twice, "--inventory", saved).stderr == ""


def test_every_flag_that_takes_one_value_is_watched() -> None:
    top = build_parser()
    [verbs] = [action for action in top._actions if action.dest == "verb"]
    assert isinstance(verbs.choices, dict)
    for one in (top, *verbs.choices.values()):
        for action in one._actions:
            takes_one = action.option_strings and action.nargs is None and type(action).__name__ != "_AppendAction"
            assert not takes_one or isinstance(action, StoreOnce), action.option_strings


def test_an_inventory_that_does_not_hold_is_named_with_its_field(tmp_path: Path) -> None:
    document = json.loads(write_document(SEEN))
    document["images"][1]["size_bytes"] = "big"
    file = tmp_path / "inventory.json"
    file.write_text(json.dumps(document))
    run = dockersweep("plan", "--inventory", str(file))
    assert run.status == 2
    assert "Expected `int | null`, got `str` - at `$.images[1].size_bytes`" in run.stderr


def test_every_error_class_has_the_status_of_the_table() -> None:
    def below(cls: type[DockersweepError]) -> list[type[DockersweepError]]:
        return [cls] + [each for child in cls.__subclasses__() for each in below(child)]

    # What reaches the entry; others are of one module, which catches them itself.
    classes = [cls for cls in below(DockersweepError) if cls.__module__ == DockersweepError.__module__]
    statuses = {cls.__name__: cls.exit_status for cls in classes}
    assert statuses == {
        "DockersweepError": 1,
        "UsageError": 2,
        "DocumentError": 2,
        "PolicyError": 2,
        "HostsError": 2,
        "UnknownObjectError": 2,
        "DeclaredFileError": 2,
        "DeclinedError": 0,
        "BusyError": 4,
        "NoPlanError": 4,
        "RefusedError": 4,
        "EngineError": 5,
        "EngineLostError": 5,
        "EngineTooMuchError": 5,
        "OtherEngineError": 5,
        "EngineTimeoutError": 5,
        "LedgerError": 2,
        "ArchiveError": 2,
        "NotArchivedError": 2,
        "NoRoomError": 2,
        "OutputError": 2,
    }


def test_what_to_remove_is_told_by_the_exit_code_only_when_asked(saved: str) -> None:
    assert dockersweep("plan", "--inventory", saved).status == 0
    assert dockersweep("plan", "--exit-code", "--inventory", saved).status == 10
    assert dockersweep("plan", "--exit-code", "--keep-name", "*", "--kind", "image", "--inventory", saved).status == 0


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("verb", [["scan"], ["scan", "--all"], ["plan"], ["plan", "--verbose"], ["report"]])
def test_tables_fit_the_terminal(saved: str, columns: int, verb: list[str]) -> None:
    run = dockersweep(*verb, "--inventory", saved, COLUMNS=str(columns))
    lines = run.stdout.splitlines()
    assert max(map(len, lines)) <= columns
    name = "web-with-a-very-long-name-that-nobody-would-type-by-hand-but-compose-does-1"
    if columns == 200 or verb == ["report"]:
        assert verb == ["report"] or name in run.stdout
    else:
        # What cannot be recovered is named in full.
        assert run.stdout.count(name) == verb.count("plan")
        assert any("web-with" in line and "…" in line for line in lines)


def test_a_pipe_gets_whole_names(saved: str) -> None:
    out = dockersweep("scan", "--all", "--inventory", saved).stdout
    assert "registry.example.com/some/team/some-application:2026-11-24-build-4711" in out
    assert "f" * 64 in out


def test_scan_sorts_and_selects(saved: str) -> None:
    def names(*flags: str) -> list[str]:
        rows = dockersweep("scan", "--no-header", "--inventory", saved, *flags).stdout.splitlines()
        return [row.split()[1] for row in rows]

    assert names("--kind", "volume") == ["f" * 64]
    assert names("--kind", "volume", "--all", "--sort", "size") == ["f" * 64, "data"]
    assert names("--kind", "volume", "--all", "--sort", "name") == ["data", "f" * 64]
    assert names("--all", "--filter", "name=db", "--filter", "name=data") == ["db", "data"]
    assert names("--filter", "state=exited", "--filter", "until=30d") == []
    assert names("--all", "--filter", "driver=local", "--sort", "name") == ["data", "f" * 64]


def test_a_scan_for_scripts_is_rows_alone(saved: str) -> None:
    rows = dockersweep("scan", "--no-header", "--inventory", saved).stdout.splitlines()
    assert [row.split()[0] for row in rows] == ["container", "image", "volume", "network", "build-cache"]


def test_the_parser_knows_the_same_kinds_documents_and_orders_as_the_model() -> None:
    assert shared_flags.KINDS == KINDS
    assert set(verbs.DOCUMENTS) == {*DOCUMENTS, "policy", "fleet-file"}
    assert get_args(SortKey) == verbs.SORT_KEYS


def test_an_error_of_several_sentences_is_a_line_each(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(options: object) -> int:
        raise HostsError("first: wrong\x1b", "second: wrong")

    monkeypatch.setattr(sweep, "run", fail)
    assert cli.main(["sweep"]) == 2
    assert capfd.readouterr().err == "dockersweep: first: wrong\\x1b\ndockersweep: second: wrong\n"
    assert cli.main(["sweep", "--log-format", "json"]) == 2
    events = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [(event["text"], event["exit_status"]) for event in events] == [
        ("first: wrong\x1b", 2),
        ("second: wrong", 2),
    ]


def test_the_clock_of_a_test_is_told_where_it_is_left_set(saved: str) -> None:
    run = dockersweep("plan", "--inventory", saved, DOCKERSWEEP_NOW="2027-01-01T00:00:00Z")
    assert "Warning: ages: as of 2027-01-01 00:00:00 UTC (DOCKERSWEEP_NOW)" in run.stdout


def test_a_bare_environment_is_enough(saved: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dockersweep", "scan", "--inventory", saved],
        env={"PATH": "/usr/bin:/bin"},
        cwd="/",
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_dry_run_is_the_plan() -> None:
    with fake_engine() as engine:
        with_containers(engine, "web")
        flags = ["--no-ledger", "--older-than", "0s", "--verbose"]
        plan = dockersweep("plan", *flags, host=engine.url)
        dry = dockersweep("sweep", "--dry-run", *flags, host=engine.url)
        assert {method for method, _ in engine.asked} == {"GET"}
    assert dry.stdout == plan.stdout
    assert "Containers to remove: 1" in dry.stdout


def test_common_flags_are_taken_before_and_after_the_verb(saved: str, tmp_path: Path) -> None:
    target = tmp_path / "x"
    assert dockersweep("--format", "json", "-o", str(target), "plan", "--inventory", saved).stdout == ""
    before = json.loads(target.read_text())
    assert dockersweep("plan", "--format", "json", "--inventory", saved).json() == before


def test_the_schemas_hold_for_what_is_written(saved: str) -> None:
    for name in ("inventory", "plan", "outcome"):
        schema: Any = dockersweep("schema", name).json()
        assert schema["title"] == f"dockersweep.{name}/1"


def test_the_moment_of_a_test_must_be_one(saved: str) -> None:
    run = dockersweep("plan", "--inventory", saved, DOCKERSWEEP_NOW="soon")
    assert run.status == 2
    assert 'DOCKERSWEEP_NOW is "soon", which is no instant' in run.stderr


def test_windows_is_told_of_wsl2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert cli.main(["sweep"]) == 2
    assert capsys.readouterr().err == "dockersweep: it runs on Linux and macOS: on Windows, run it inside WSL2\n"
    assert cli.main(["--version"]) == 0
