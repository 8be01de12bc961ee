"""Who is told how a run ended, of which runs, and that nothing of that changes a run."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec.structs import replace

from dockersweep.commands.notifying import checks
from dockersweep.commands.options import PolicyOptions, WatchOptions, options_of
from dockersweep.commands.running.opening import notified
from dockersweep.commands.swarming.policy import policy_for_nodes
from dockersweep.commands.watching.children import Child
from dockersweep.commands.watching.sweeps import Sweeps
from dockersweep.commands.watching.watch_log import WatchLog
from dockersweep.errors import BusyError, RefusedError
from dockersweep.ledger import FILE_NAME
from dockersweep.model.document_schemas import json_schema
from dockersweep.model.policy import NotifySettings
from dockersweep.model.policyfile import WatchTable
from dockersweep.model.watching import ChildTask
from dockersweep.parser import parse
from dockersweep.policy.language.flags import PolicyFlags
from dockersweep.policy.language.reading import read_policy
from dockersweep.policy.language.watch_checks import watch_of
from tests.commands.calling import Caller, needs_root
from tests.commands.test_guard_rails import deletes, removable
from tests.rig.fake_engine import FakeEngine, Handler, Reply, fake_engine, reply
from tests.rig.running import Run, dockersweep, on_a_terminal, start
from tests.rig.services import http_server

SECRET = "hunter2"
RULE = '[[rule]]\nname = "stopped"\nkind = "container"\neverything = true\nremove.stopped_for = "0s"\n'
RECORDING = f"""#!{sys.executable} -I
import json, os, sys
told = {{name: value for name, value in os.environ.items() if name.startswith("DOCKERSWEEP_")}}
told["document"] = json.load(sys.stdin)
told["arguments"] = sys.argv[1:]
with open(os.path.join(os.path.dirname(sys.argv[0]), "told"), "a") as file:
    file.write(json.dumps(told) + "\\n")
"""


class Program:
    """A program that writes down what it is told, and the policy that names it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "on-sweep"
        self.policy = folder / "dockersweep.toml"
        self.does(RECORDING)
        self.names()

    def does(self, script: str) -> None:
        """Do something else."""
        self.path.write_text(script)
        self.path.chmod(0o755)

    def names(self, more: str = "", rules: str = RULE) -> None:
        """Write the policy, with these further lines in [notify]."""
        command = json.dumps([str(self.path), "an argument", f"--token={SECRET}"])
        self.policy.write_text(f"version = 1\n{rules}[notify]\ncommand = {command}\n{more}\n")
        self.policy.chmod(0o600)

    @property
    def told(self) -> list[Any]:
        """What it was told."""
        path = self.folder / "told"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def sweep(self, box: FakeEngine, *flags: str) -> Run:
        """Sweep with the policy."""
        run = dockersweep("sweep", "--yes", "--policy", str(self.policy), *flags, host=box.url)
        assert SECRET not in run.stdout + run.stderr
        return run


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A program that is told."""
    return Program(tmp_path)


@pytest.fixture
def box() -> Iterator[FakeEngine]:
    """An engine with two stopped containers."""
    with fake_engine() as engine:
        removable(engine, "a", "b")
        yield engine


def fits(document: Any) -> None:
    jsonschema.validate(document, json_schema(document["schema"].split(".")[1].split("/")[0]))


# Which runs are told of.


def test_a_run_that_removed_something_is_told_with_its_outcome(program: Program, box: FakeEngine) -> None:
    run = program.sweep(box, "--format", "json")
    assert (run.status, run.stderr) == (0, "")
    [told] = program.told
    assert told["document"] == run.json()
    fits(told["document"])
    assert told["arguments"] == ["an argument", f"--token={SECRET}"]
    assert (told["DOCKERSWEEP_EVENTS"], told["DOCKERSWEEP_EXIT_STATUS"]) == ("removed", "0")
    assert told["DOCKERSWEEP_TITLE"].startswith("dockersweep on box: removed 2 containers")


def test_a_failed_removal_is_told(program: Program, box: FakeEngine) -> None:
    box.replies["/containers/b"] = (500, b'{"message": "device busy"}')
    assert program.sweep(box).status == 3
    [told] = program.told
    assert (told["DOCKERSWEEP_EVENTS"], told["DOCKERSWEEP_EXIT_STATUS"]) == ("removed failed", "3")
    assert told["DOCKERSWEEP_TITLE"].startswith("dockersweep on box: 1 removal failed; removed 1 container")


def test_a_missed_target_is_told(program: Program, box: FakeEngine) -> None:
    program.names('on = "target-missed"', rules='[target]\nfree = "5GB"\n')
    assert program.sweep(box).status == 3
    [told] = program.told
    assert told["DOCKERSWEEP_EVENTS"] == "target-missed"
    assert "space target missed" in told["DOCKERSWEEP_TITLE"]


def test_a_refused_run_is_told_without_an_outcome(program: Program, box: FakeEngine) -> None:
    run = program.sweep(box, "--max-objects", "1")
    assert (run.status, deletes(box)) == (4, [])
    [told] = program.told
    document = told["document"]
    fits(document)
    assert (document["schema"], document["exit_status"], document["verb"]) == ("dockersweep.failure/1", 4, "sweep")
    assert document["engine"]["name"] == "box"
    assert run.stderr == f"dockersweep: {document['error']}\n"
    assert document["run"] == 1
    assert (told["DOCKERSWEEP_EVENTS"], told["DOCKERSWEEP_EXIT_STATUS"]) == ("failed", "4")


def test_a_run_that_another_one_holds_up_is_told_with_its_number(program: Program, box: FakeEngine) -> None:
    program.does('#!/bin/sh\n[ -e "$0.inner" ] && exec "$0.inner"\nexit 0\n')
    assert program.sweep(box, "--confirm-engine", "another").status == 4
    program.does(RECORDING)
    assert program.sweep(box, "--confirm-engine", "another").status == 4
    [told] = program.told
    assert told["document"]["engine"]["name"] == "box"
    assert "--confirm-engine asks for" in told["document"]["error"]


def test_an_engine_that_is_not_there_is_told(program: Program, tmp_path: Path) -> None:
    run = dockersweep("sweep", "--yes", "--policy", str(program.policy), host=f"unix://{tmp_path}/none.sock")
    assert run.status == 5
    [told] = program.told
    fits(told["document"])
    assert (told["document"]["engine"], told["document"]["exit_status"]) == (None, 5)
    assert f"{tmp_path}/none.sock" in told["document"]["error"]


def test_an_outcome_that_cannot_be_written_is_told_as_failed(program: Program, box: FakeEngine) -> None:
    run = program.sweep(box, "-o", "/dev/full")
    assert run.status == 2
    [told] = program.told
    assert (told["DOCKERSWEEP_EVENTS"], told["DOCKERSWEEP_EXIT_STATUS"]) == ("removed failed", "2")
    assert told["document"]["schema"] == "dockersweep.outcome/1"


def test_a_run_without_anything_to_tell_is_told_only_where_that_is_asked_for(program: Program) -> None:
    with fake_engine() as engine:
        assert program.sweep(engine).status == 0
        assert program.told == []
        program.names('on = ["silent"]')
        assert program.sweep(engine).status == 0
        [told] = program.told
        assert told["DOCKERSWEEP_EVENTS"] == "silent"
        assert told["DOCKERSWEEP_TITLE"] == "dockersweep on box: nothing to remove"
        removable(engine, "a")
        assert program.sweep(engine).status == 0
        assert len(program.told) == 1


@pytest.mark.parametrize("flag", ["--dry-run", "--no-notify"])
def test_some_runs_are_told_to_nobody(program: Program, box: FakeEngine, flag: str) -> None:
    program.names('on = ["removed", "failed", "silent"]')
    assert program.sweep(box, flag).status == 0
    assert program.told == []


def test_a_no_is_told_to_nobody(program: Program, box: FakeEngine) -> None:
    program.names('on = ["removed", "failed", "silent"]')
    words = ["-H", box.url, "sweep", "--policy", str(program.policy)]
    assert on_a_terminal(words, "n\n")[0] == 0
    assert program.told == []
    assert on_a_terminal(words, "y\n")[0] == 0
    assert len(program.told) == 1


def test_apply_tells_and_a_plan_names_nobody(program: Program, box: FakeEngine, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    assert dockersweep("plan", "--policy", str(program.policy), "-o", str(plan), host=box.url).status == 0
    assert SECRET not in plan.read_text()
    assert "on-sweep" not in plan.read_text()
    assert dockersweep("apply", "--yes", str(plan), "--policy", str(program.policy), host=box.url).status == 0
    [told] = program.told
    assert told["DOCKERSWEEP_EVENTS"] == "removed"


def test_a_plan_cannot_name_a_program(program: Program, box: FakeEngine, tmp_path: Path) -> None:
    plan, other = tmp_path / "plan.json", tmp_path / "other.toml"
    other.write_text(f"version = 1\n{RULE}")
    assert dockersweep("plan", "--policy", str(other), "-o", str(plan), host=box.url).status == 0
    document = json.loads(plan.read_text())
    document["policy"]["notify"] = {"command": [str(program.path)], "timeout_seconds": 30}
    plan.write_text(json.dumps(document))
    assert dockersweep("apply", "--yes", str(plan), "--policy", str(other), host=box.url).status == 0
    assert len(deletes(box)) == 2
    assert program.told == []


def test_several_hosts_are_told_of_one_by_one(program: Program, box: FakeEngine) -> None:
    with fake_engine() as second:
        second.replies["/info"] = reply({"ID": "SECOND", "Name": "second", "Driver": "overlay2", "DockerRootDir": "/d"})
        removable(second, "c")
        words = ("-H", box.url, "-H", second.url, "sweep", "--yes", "--policy", str(program.policy))
        assert dockersweep(*words).status == 0
    assert sorted(len(told["document"]["outcomes"]) for told in program.told) == [1, 2]


def test_a_host_that_is_the_same_engine_is_told_of_once(program: Program, box: FakeEngine, tmp_path: Path) -> None:
    (tmp_path / "again").symlink_to(box.url.removeprefix("unix://"))
    words = ("-H", box.url, "-H", f"unix://{tmp_path}/again", "sweep", "--yes", "--policy", str(program.policy))
    assert dockersweep(*words).status == 0
    assert [told["DOCKERSWEEP_EVENTS"] for told in program.told] == ["removed"]


def test_a_host_that_is_not_there_is_told(program: Program, box: FakeEngine, tmp_path: Path) -> None:
    words = ("-H", box.url, "-H", f"unix://{tmp_path}/none", "sweep", "--yes", "--policy", str(program.policy))
    assert dockersweep(*words).status == 5
    assert sorted(told["DOCKERSWEEP_EXIT_STATUS"] for told in program.told) == ["0", "5"]


def test_a_host_has_a_note_of_who_could_not_be_told(program: Program, box: FakeEngine) -> None:
    program.does("#!/bin/sh\nexit 7\n")
    with fake_engine() as second:
        second.replies["/info"] = reply({"ID": "SECOND", "Name": "second", "Driver": "overlay2", "DockerRootDir": "/d"})
        hosts = ("-H", box.url, "-H", second.url)
        words = (*hosts, "sweep", "--yes", "--policy", str(program.policy))
        run = dockersweep(*words, "--format", "json")
        removable(box, "a")
        shown = dockersweep(*words)
    why = f"notify: {program.path} ended with exit status 7"
    assert [host["notes"] for host in run.json()["hosts"]] == [[why], []]
    assert shown.status == 0
    assert why in shown.stdout + shown.stderr


def test_a_watcher_that_another_run_holds_up_tells_nobody(program: Program) -> None:
    policy = read_policy(program.policy.read_bytes(), "the policy")
    options = options_of(parse(["watch"]))
    assert isinstance(options, WatchOptions)
    for error in (BusyError("another run"), RefusedError("over a limit")):
        with pytest.raises(RefusedError), notified(policy, options.run):
            raise error
    [told] = program.told
    assert told["document"]["error"] == "nothing removed: over a limit"
    assert told["DOCKERSWEEP_TITLE"].endswith("a sweep of the watcher failed")


# What goes wrong there changes no run.


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("#!/bin/sh\necho saying; exit 7\n", "on-sweep: saying\nWarning: notify: {path} ended with exit status 7\n"),
        ("#!/bin/sh\nexec <&-\nprintf '\\033[31mred'\n", "on-sweep: \\x1b[31mred\n"),
        ("#!/none/sh\n", "Warning: notify: {path} cannot be started: No such file or directory\n"),
        ("#!/bin/sh\nsleep 100\n", "Warning: notify: {path} did not end within 1 second\n"),
        ("#!/bin/sh\nkill -9 $$\n", "Warning: notify: {path} was ended by SIGKILL\n"),
    ],
    ids=["fails", "escapes", "no interpreter", "slow", "killed"],
)
def test_a_program_that_fails_is_told_and_changes_nothing(
    program: Program, box: FakeEngine, script: str, said: str
) -> None:
    program.names('timeout = "1s"')
    program.does(script)
    run = program.sweep(box, "--format", "json")
    assert run.status == 0
    assert [one["status"] for one in run.json()["outcomes"]] == ["removed", "removed"]
    assert run.json()["warnings"] == []
    assert run.stderr == said.format(path=program.path)


def test_a_program_that_is_missing_is_told_at_the_beginning_too(program: Program, box: FakeEngine) -> None:
    program.path.unlink()
    run = program.sweep(box, "--format", "json")
    assert run.status == 0
    assert run.json()["warnings"] == [{"about": "notify", "text": f"{program.path} does not exist"}]
    # Once as a warning of the run, once as it is to be run.
    assert run.stderr == f"Warning: notify: {program.path} does not exist\n" * 2


def test_events_have_what_it_writes(program: Program, box: FakeEngine) -> None:
    program.does("#!/bin/sh\necho one; exit 7\n")
    run = program.sweep(box, "--log-format", "json", "-o", os.devnull)
    *_, output, warning = (json.loads(line) for line in run.stderr.splitlines())
    assert (output["event"], output["program"], output["text"]) == ("output", "on-sweep", "one")
    assert (warning["event"], warning["about"]) == ("warning", "notify")
    journal = program.sweep(box, "--log-format", "journal", "-o", os.devnull).stderr.splitlines()
    assert journal[-2:] == ["<5>on-sweep: one", f"<4>notify: {program.path} ended with exit status 7"]


def test_the_lock_is_free_while_it_runs(program: Program, box: FakeEngine, tmp_path: Path) -> None:
    """It may itself sweep, and its slowness holds up no other run."""
    inner = f"{sys.executable} -m dockersweep -H {box.url} sweep --yes --no-notify --policy {program.policy}"
    program.does(f"#!/bin/sh\n{inner} >{tmp_path}/inner 2>&1; echo $? >>{tmp_path}/inner\n")
    assert program.sweep(box).status == 0
    assert (tmp_path / "inner").read_text().splitlines()[-1] == "0"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_and_the_run_keeps_its_status(
    program: Program, box: FakeEngine, tmp_path: Path, number: int
) -> None:
    program.does(f"#!/bin/sh\necho $$ >{tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 600\n")
    words = ["-H", box.url, "sweep", "--yes", "--yes-first-time", "--policy", str(program.policy)]
    process = start(*words)
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "pid").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert f"{program.path} was ended by {signal.Signals(number).name}" in str(said)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_run_that_a_signal_ended_early_is_told(program: Program, box: FakeEngine) -> None:
    signalled = threading.Event()

    def removed(handler: Handler) -> Reply:
        if not signalled.is_set():
            signalled.set()
            process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        return 204, b""

    names = [f"c{number}" for number in range(60)]
    removable(box, *names)
    box.replies |= {f"/containers/{name}": removed for name in names}
    process = start("-H", box.url, "sweep", "--yes", "--yes-first-time", "--policy", str(program.policy))
    try:
        process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 128 + signal.SIGTERM
    [told] = program.told
    assert told["document"]["ended_by"] == "signal"
    assert told["DOCKERSWEEP_EVENTS"] == "removed failed"


def test_a_sweep_of_a_watcher_tells(program: Program, box: FakeEngine) -> None:
    policy = read_policy(program.policy.read_bytes(), "the policy")
    options = options_of(parse(["-H", box.url, "watch", "--yes-first-time", "--policy", str(program.policy)]))
    assert isinstance(options, WatchOptions)
    words = ("-H", box.url, "watch", "--yes-first-time", "--policy", str(program.policy))
    child = Child("sweep", replace(options, command_line=words), ChildTask(policy=policy))
    try:
        deadline = time.monotonic() + 30
        while (result := child.poll()) is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        child.close()
    assert (result.exit_status, result.removed, result.events) == (0, 2, ("removed",))
    [told] = program.told
    assert told["DOCKERSWEEP_EVENTS"] == "removed"


def test_a_sweep_of_a_watcher_that_was_killed_is_told_of_once_a_day(program: Program, box: FakeEngine) -> None:
    words = ("-H", box.url, "watch", "--log-format", "json", "--policy", str(program.policy))
    options = options_of(parse(words))
    assert isinstance(options, WatchOptions)
    policy = read_policy(program.policy.read_bytes(), "the policy")
    sweeps = Sweeps(options, WatchLog("json"))
    try:
        for _ in range(2):
            sweeps.sweep("schedule", None, policy)
            assert sweeps._child is not None
            os.kill(sweeps._child.pid, signal.SIGKILL)
            deadline = time.monotonic() + 60
            while sweeps.is_busy:
                assert time.monotonic() < deadline
                sweeps.ended(watch_of(WatchTable()))
                time.sleep(0.05)
            [told] = program.told
    finally:
        sweeps.close()
    fits(told["document"])
    assert told["document"]["error"] == "its process was ended by signal 9"
    assert (told["DOCKERSWEEP_EVENTS"], told["DOCKERSWEEP_EXIT_STATUS"]) == ("failed", "137")
    assert told["DOCKERSWEEP_TITLE"].endswith("a sweep of the watcher failed")
    assert not deletes(box)


# Whom root trusts.


def replaced(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


@needs_root
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda path: os.chmod(path, 0o775), "can be written by others than root"),
        (lambda path: os.chown(path, 1000, 0), "belongs to the user 1000"),
        (lambda path: os.chmod(path.parent, 0o777), "can be replaced by others than root, who can write in"),
        (lambda path: os.chown(path.parent, 1000, 0), "can be replaced by others than root, who can write in"),
        (lambda path: os.chmod(path, 0o644), "cannot be executed"),
        (lambda path: replaced(path, Path.mkdir), "is not a program"),
        (lambda path: replaced(path, os.mkfifo), "is not a program"),
        (lambda path: replaced(path, lambda path: path.symlink_to("/none")), "does not exist"),
    ],
)
def test_a_program_that_others_decide_about_is_not_run(
    program: Program, box: FakeEngine, change: Any, why: str
) -> None:
    change(program.path)
    run = program.sweep(box)
    assert run.status == 0
    assert why in run.stderr
    assert program.told == []


@needs_root
def test_a_link_of_somebody_else_is_not_what_is_run(program: Program, tmp_path: Path) -> None:
    """Its owner may let it lead elsewhere after the look: what it led to then is run."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 1000, 1000)
    (folder / "link").symlink_to(program.path)
    assert checks.program_fault(NotifySettings(command=(str(folder / "link"),), timeout_seconds=1)) is None


# Services.


def test_services_are_told(program: Program, box: FakeEngine) -> None:
    box.replies["/containers/b"] = (500, b'{"message": "device\\u0007 busy"}')
    with http_server() as web:
        program.names(f'urls = ["json://me:{SECRET}@127.0.0.1:{web.port}/hook", "json://127.0.0.1:{web.port}/500"]')
        run = program.sweep(box)
    assert run.status == 3
    assert "Warning: notify: address 2 of urls (json://...): the service answered with the status 500\n" in run.stderr
    message = next(json.loads(body) for body, path in zip(web.bodies, web.paths, strict=True) if path == "/hook")
    assert message["title"].startswith("dockersweep on box: 1 removal failed; removed 1 container")
    assert message["type"] == "failure"
    assert message["message"].splitlines()[0] == "Failed: container b: device\\x07 busy"
    assert "Removed objects: container a." in message["message"]
    assert message["message"].splitlines()[-1] == "Exit status 3. `dockersweep history 1` tells more."


def test_no_document_and_no_record_has_a_password(program: Program, box: FakeEngine, tmp_path: Path) -> None:
    with http_server() as web:
        program.names(f'urls = "json://me:{SECRET}@127.0.0.1:{web.port}/hook"')
        program.sweep(box, "--audit-log", str(tmp_path / "audit"), "--log-format", "json")
        for words in (
            ("plan", "--format", "json"),
            ("plan", "--format", "json", "--verbose"),
            ("report", "--format", "json"),
            ("explain", "a", "--format", "json"),
            ("policy", "show"),
            ("policy", "show", "--format", "json"),
            ("policy", "check"),
        ):
            host = None if words[0] == "policy" else box.url
            run = dockersweep(*words, "--policy", str(program.policy), host=host)
            assert SECRET not in run.stdout + run.stderr, words
    assert SECRET not in (tmp_path / "audit").read_text()
    ledgers = list(Path(os.environ["HOME"]).rglob(f"{FILE_NAME}*"))
    assert ledgers
    assert not [path for path in ledgers if SECRET.encode() in path.read_bytes()]


# `policy check`, and the nodes of a swarm.


def test_check_has_a_note_of_what_is_missing_here(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "is_apprise_there", lambda: False)
    path = call.policy('version = 1\nremoves_nothing = true\n[notify]\ncommand = ["/none/x"]\nurls = "nosuch://a"\n')
    said = call("policy", "check", path)
    assert (said.status, said.out) == (
        0,
        (
            "note: notify: /none/x does not exist\n"
            "note: notify: apprise is not installed: install it with `pip install 'dockersweep[notify]'`\n"
        ),
    )


def test_check_finds_addresses_that_apprise_does_not_know(call: Caller) -> None:
    path = call.policy(f'version = 1\nremoves_nothing = true\n[notify]\nurls = ["json://a", "nosuch://{SECRET}"]\n')
    said = call("policy", "check", path)
    assert said.status == 2
    assert said.out == (
        f"{path}:4:21: notify: address 2 of urls (nosuch://...): apprise does not know such an address, or it lacks a "
        "part\n"
    )


def test_a_swarm_gets_the_policy_without_whom_it_tells(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    text = program.policy.read_bytes()
    node = policy_for_nodes(PolicyOptions(path=str(program.policy), flags=PolicyFlags()))
    assert node.text is not None
    assert SECRET.encode() not in node.text
    assert read_policy(node.text, "x") == read_policy(text, "x").for_documents
    assert capsys.readouterr().err == "note: the nodes tell nobody how it ended: [notify] does not go to them\n"
