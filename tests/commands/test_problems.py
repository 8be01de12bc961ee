"""What needs a person is said on standard error by every verb, so that `>/dev/null` leaves just that, and is said once
where both streams are one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dockersweep.model.inventory import ScanWarning
from tests.commands.test_guard_rails import removable
from tests.rig.fake_containers import with_containers
from tests.rig.fake_engine import FakeEngine, fake_engine, reply
from tests.rig.inventories import container, inventory, write_inventory
from tests.rig.running import dockersweep, on_a_terminal

pytestmark = pytest.mark.programs

WARNING = "Warning: volumes: sizes cannot be read\n"
VERBS = ("scan", "plan", "report", "explain web")
FORMATS = ("table", "json", "csv", "markdown")
GOES = ("--older-than", "0s", "--no-ledger")


@pytest.fixture
def warned(tmp_path: Path) -> str:
    """An inventory with a warning."""
    warnings = (ScanWarning(about="volumes", text="sizes cannot be read"),)
    return write_inventory(tmp_path, inventory(container("web"), warnings=warnings))


def under_cron(line: str, *, mail: bool, **environment: str) -> str:
    """Run a line as cron does, with an environment that has hardly anything and no terminal; return what is mailed of
    it, all or what `>/dev/null` leaves."""
    variables = {"HOME": "/nonexistent", "PATH": "/usr/bin:/bin", "PYTHONPATH": os.getcwd(), **environment}
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m dockersweep {line} {'2>&1' if mail else '2>&1 >/dev/null'}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False, env=variables,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("verb", VERBS)
def test_a_warning_of_a_scan(verb: str, form: str, warned: str) -> None:
    run = dockersweep(*verb.split(), "--inventory", warned, "--format", form)
    assert (run.status, run.stderr) == (0, WARNING)
    assert ("sizes cannot be read" in run.stdout) is (form != "csv")


@pytest.mark.parametrize("verb", VERBS)
def test_a_warning_of_a_result_in_a_file(verb: str, warned: str, tmp_path: Path) -> None:
    run = dockersweep(*verb.split(), "--inventory", warned, "-o", str(tmp_path / "result"))
    assert (run.status, run.stdout, run.stderr) == (0, "", WARNING)


@pytest.mark.parametrize("verb", VERBS)
def test_both_streams_in_one_pipe_say_it_once(verb: str, warned: str) -> None:
    for form in ("table", "json"):
        line = f"{verb} --inventory {warned} --format {form}"
        assert under_cron(line, mail=True).count("sizes cannot be read") == 1
        assert under_cron(line, mail=False) == WARNING


@pytest.mark.parametrize("form", ["csv", "prometheus"])
def test_what_has_no_sentences_is_told_beside_them(form: str, warned: str) -> None:
    told = under_cron(f"report --inventory {warned} --format {form}", mail=True)
    assert told.count("sizes cannot be read") == 1
    assert WARNING in told


@pytest.mark.parametrize("verb", VERBS)
def test_a_terminal_is_told_once(verb: str, warned: str) -> None:
    status, shown = on_a_terminal([*verb.split(), "--inventory", warned], "")
    assert (status, shown.count("sizes cannot be read")) == (0, 1)


@pytest.mark.parametrize("verb", ["plan", "report"])
def test_only_problems(verb: str, warned: str, tmp_path: Path) -> None:
    plain = dockersweep(verb, "--inventory", warned)
    run = dockersweep(verb, "--inventory", warned, "--only-problems")
    assert (run.status, run.stdout, run.stderr) == (plain.status, "", WARNING)
    status, shown = on_a_terminal([verb, "--inventory", warned, "--only-problems"], "")
    assert (status, shown) == (0, WARNING.replace("\n", "\r\n"))
    result = tmp_path / "result"
    assert dockersweep(verb, "--inventory", warned, "--only-problems", "-o", str(result)).stdout == ""
    assert "sizes cannot be read" in result.read_text()


IDLE = "Warning: --keep-name: gone* matches nothing here\n"


@pytest.mark.parametrize("verb", ["plan", "report"])
def test_a_protection_that_matches_nothing_needs_nobody(verb: str, tmp_path: Path) -> None:
    sound = write_inventory(tmp_path, inventory(container("web")))
    words = (verb, "--inventory", sound, "--keep-name", "gone*")
    told = dockersweep(*words)
    assert (told.status, told.stderr, IDLE.strip() in told.stdout) == (0, IDLE, True)
    assert dockersweep(*words, "--only-problems").stderr == ""
    [warning] = dockersweep(*words, "--format", "json").json()["warnings"]
    assert warning["is_problem"] is False


def test_nor_does_it_in_a_sweep_of_cron() -> None:
    for flag in ((), ("--quiet",), ("--only-problems",)):
        with fake_engine() as engine:
            removable(engine, "a")
            words = ("--yes", "--yes-first-time", "--no-ledger", "--older-than", "0s", "--keep-name", "gone*", *flag)
            run = dockersweep("sweep", *words, host=engine.url)
        assert run.status == 0
        assert [IDLE.strip() in text for text in (run.stdout, run.stderr)] == [not flag, not flag]


def test_a_plan_that_a_sweep_would_refuse(warned: str, tmp_path: Path) -> None:
    sound = write_inventory(tmp_path, inventory(container("web")))
    flags = (*GOES, "--max-objects", "0", "--inventory", sound)
    refused = "dockersweep: a sweep would be refused: over a limit of "
    for more, status in (((), 0), (("--only-problems", "--exit-code"), 4)):
        run = dockersweep("plan", *flags, *more)
        assert (run.status, run.stderr.startswith(refused), run.stderr.count("\n")) == (status, True, 1)


def test_a_removal_is_no_problem(tmp_path: Path) -> None:
    sound = write_inventory(tmp_path, inventory(container("web")))
    for result in ((), ("-o", str(tmp_path / "plan.json"))):
        run = dockersweep("plan", *GOES, "--inventory", sound, "--only-problems", "--exit-code", *result)
        assert (run.status, run.stdout, run.stderr) == (10, "", "")
    assert (tmp_path / "plan.json").stat().st_size


def test_findings_that_are_bad_enough(tmp_path: Path) -> None:
    saved = write_inventory(tmp_path, inventory(container("web", restart="always")))
    quiet = dockersweep("report", "--inventory", saved)
    assert (quiet.status, quiet.stderr) == (0, "")
    told = dockersweep("report", "--inventory", saved, "--fail-on", "note", "--only-problems")
    assert (told.status, told.stdout) == (10, "")
    assert told.stderr.startswith(("Note: ", "Warning: "))
    assert told.stderr.endswith("(DS014)\n")


def failing(engine: FakeEngine, count: int) -> None:
    names = [f"c{number:02}" for number in range(count)]
    with_containers(engine, *names, "sound")
    engine.replies["/containers/sound"] = (204, b"")
    for name in names:
        engine.replies[f"/containers/{name}"] = reply({"message": "device\nbusy"}, 500)


@pytest.mark.parametrize("form", FORMATS)
def test_removals_that_fail_are_listed(form: str) -> None:
    with fake_engine() as engine:
        failing(engine, 2)
        run = dockersweep("sweep", "--yes", "--older-than", "0s", "--format", form, host=engine.url)
    assert run.status == 3
    lines = [line for line in run.stderr.splitlines() if not line.startswith("Warning: ")]
    assert lines == [
        "Failed: container c00: device\\nbusy",
        "Failed: container c01: device\\nbusy",
        "dockersweep: 2 removals failed",
    ]
    assert "c01" in run.stdout


def test_one_has_a_line_as_several_have() -> None:
    with fake_engine() as engine:
        failing(engine, 1)
        run = dockersweep("sweep", "--yes", "--older-than", "0s", host=engine.url)
    lines = [line for line in run.stderr.splitlines() if not line.startswith("Warning: ")]
    assert lines == ["Failed: container c00: device\\nbusy", "dockersweep: 1 removal failed"]


def test_a_target_that_is_missed_is_told_once_where_both_streams_are_one() -> None:
    with fake_engine() as engine:
        with_containers(engine, "web")
        line = f"-H {engine.url} sweep --yes --free 5GB --no-ledger --yes-first-time"
        mail = under_cron(line, mail=True)
        assert mail.count("Target missed: ") == 1
        assert "dockersweep: Target" not in mail
        assert "dockersweep: Target missed: " in under_cron(line, mail=False)


def test_the_cause_comes_first_and_an_id_is_short() -> None:
    volume = "0123456789abcdef" * 4
    folder = f"/var/lib/docker/volumes/{volume}"
    said = f"remove {volume}: error while removing volume {volume}: unlinkat {folder}/_data: device or resource busy"
    with fake_engine() as engine:
        with_containers(engine, volume)
        engine.replies[f"/containers/{volume}"] = reply({"message": said}, 500)
        table = dockersweep("sweep", "--yes", "--older-than", "0s", host=engine.url)
        run = dockersweep("sweep", "--yes", "--older-than", "0s", "--format", "json", host=engine.url)
    short = "0123456789ab"
    line = (
        f"Failed: container {short}: device or resource busy (remove {short}: error while removing volume {short}: "
        f"unlinkat /var/lib/docker/volumes/{short}/_data)"
    )
    assert line in run.stderr.splitlines()
    assert line.split(": ", 2)[2] in table.stdout
    assert run.json()["outcomes"][0]["detail"] == said


def test_at_most_twenty_are(tmp_path: Path) -> None:
    with fake_engine() as engine:
        failing(engine, 23)
        run = dockersweep("sweep", "--yes", "--older-than", "0s", "--only-problems", host=engine.url)
    assert (run.status, run.stdout) == (3, "")
    lines = [line for line in run.stderr.splitlines() if not line.startswith("Warning: ")]
    assert lines[20:] == ["Failed: 3 more", "dockersweep: 23 removals failed"]


@pytest.mark.parametrize("verb", ["sweep", "apply"])
def test_a_table_in_the_same_mail_lists_them_already(verb: str, tmp_path: Path) -> None:
    with fake_engine() as engine:
        failing(engine, 2)
        plan = tmp_path / "plan.json"
        assert dockersweep("plan", "--older-than", "0s", "-o", str(plan), host=engine.url).status == 0
        words = "sweep --older-than 0s" if verb == "sweep" else f"apply {plan}"
        line = f"-H {engine.url} {words} --yes --yes-first-time --no-ledger"
        # Of a folder of its own: else other tests at the same time hold the lock of an engine with the same id.
        mine = {"DOCKERSWEEP_STATE_DIR": str(tmp_path / "state")}
        told = under_cron(line, mail=True, **mine)
        assert told.count("device\\nbusy") == 2
        assert told.endswith("\ndockersweep: 2 removals failed\n")
        assert under_cron(line, mail=False, **mine).count("Failed: container ") == 2
        told = under_cron(f"{line} --only-problems", mail=True, **mine)
        assert told.count("Failed: container ") == 2


@pytest.mark.parametrize("verb", ["sweep", "apply"])
def test_a_run_without_problems_says_nothing(verb: str, tmp_path: Path) -> None:
    plan = str(tmp_path / "plan.json")
    with fake_engine() as engine:
        removable(engine, "a")
        # Else the plan would warn that nobody has looked at the engine yet.
        on_a_terminal(["-H", engine.url, "scan"], "")
        made = dockersweep("plan", "--older-than", "0s", "-o", plan, host=engine.url)
        assert made.status == 0
        words = ("sweep", "--older-than", "0s") if verb == "sweep" else ("apply", plan)
        run = dockersweep(*words, "--yes", "--only-problems", host=engine.url)
        assert any(method == "DELETE" for method, _ in engine.asked)
    assert (run.status, run.stdout, run.stderr) == (0, "", "".join(_warnings(made.stderr)))


def _warnings(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines(keepends=True) if line.startswith("Warning: ")]


def test_quiet_lets_no_warning_of_a_scan_through(tmp_path: Path) -> None:
    """It is the same every night; also where a file is written."""
    with fake_engine() as engine:
        engine.replies["/volumes"] = reply({"Volumes": [], "Warnings": ["a driver is gone"]})
        told = dockersweep("sweep", "--yes", host=engine.url)
        assert "Warning: " in told.stderr
        for more in ((), ("-o", str(tmp_path / "result.csv"))):
            run = dockersweep("sweep", "--yes", "--quiet", *more, host=engine.url)
            assert (run.status, run.stdout, run.stderr) == (0, "", "")
        # Nor where something else is told, and the result has it anyhow.
        removable(engine, "a")
        run = dockersweep("sweep", "--yes", "--quiet", "--older-than", "0s", host=engine.url)
        assert (run.status, run.stderr) == (0, "")
        assert "Removed 1 container" in run.stdout
        dry = dockersweep("sweep", "--dry-run", "--quiet", "--older-than", "0s", host=engine.url)
        assert (dry.status, dry.stderr, "1 object to remove" in dry.stdout) == (0, "", True)


def test_a_ledger_that_is_damaged(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "ledger.sqlite3").write_bytes(b"no database" * 100)
    for form in FORMATS:
        run = dockersweep("history", "verify", "--format", form, DOCKERSWEEP_STATE_DIR=str(state))
        assert run.status == 2
        assert run.stderr.startswith(f"dockersweep: {state}/ledger.sqlite3")
    for mail in (True, False):
        told = under_cron("history verify", mail=mail, DOCKERSWEEP_STATE_DIR=str(state))
        assert told.count("ledger.sqlite3: ") == 1
        assert told.startswith("dockersweep: ") is not mail


def test_events_have_each_problem_once() -> None:
    with fake_engine() as engine:
        failing(engine, 2)
        flags = ("--older-than", "0s", "--log-format", "journal", "--max-objects", "0")
        dry = dockersweep("sweep", "--dry-run", "--only-problems", *flags, host=engine.url)
    assert dry.stdout == ""
    assert all(line.startswith(("<3>", "<4>")) for line in dry.stderr.splitlines())
    assert dry.stderr.count("a sweep would be refused") == 1


def test_quiet_and_only_problems_are_one_or_the_other() -> None:
    for verb in ("sweep", "apply", "report"):
        operand = ("plan.json",) if verb == "apply" else ()
        run = dockersweep(verb, *operand, "--quiet", "--only-problems")
        assert run.status == 2
        assert "not allowed with" in run.stderr


def test_an_error_fits_the_terminal_and_is_a_line_elsewhere(tmp_path: Path) -> None:
    words = ["plan", "--inventory", str(tmp_path / "missing"), "--older-than", "soon", *["--keep-name=a"] * 2]
    line = dockersweep(*words).stderr
    assert line.count("\n") == 1
    assert len(line) > 80
    status, shown = on_a_terminal(words, "")
    lines = shown.splitlines()
    assert (status, " ".join(lines)) == (2, line.rstrip("\n"))
    assert len(lines) > 1
    assert max(map(len, lines)) <= 80


def test_a_warning_of_a_result_in_a_file_fits_it_too(tmp_path: Path) -> None:
    text = f"sizes cannot be read, {'and why is said at length, ' * 4}so that they are not known"
    warned = write_inventory(tmp_path, inventory(container("web"), warnings=(ScanWarning(about="volumes", text=text),)))
    _, shown = on_a_terminal(["report", "--inventory", warned, "-o", str(tmp_path / "report.csv")], "")
    assert " ".join(shown.split()) == f"Warning: volumes: {text}"
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("flag", ["--quiet", "--only-problems"])
@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", "dockersweep: 2 removals failed"),
        ("--max-objects 0", "dockersweep: nothing removed: over a limit"),
        ("--free 5GB", "Target: "),
        ("--audit-log /dev/full", "Warning: audit log: "),
    ],
)
def test_no_mail_says_a_thing_twice(more: str, said: str, flag: str, tmp_path: Path) -> None:
    with fake_engine() as engine:
        failing(engine, 2)
        line = f"-H {engine.url} sweep --older-than 0s --yes --yes-first-time {flag} {more}"
        told = under_cron(line, mail=True, DOCKERSWEEP_STATE_DIR=str(tmp_path / "state"))
    lines = [line for line in told.splitlines() if line]
    assert len(lines) == len(set(lines))
    assert sum(said in one for one in lines) == 1
