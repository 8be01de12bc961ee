"""What an unattended run says: nothing where there is nothing to say, and events for programs and for the journal."""

import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dockersweep.cli import main
from dockersweep.commands.removal_entry import Entries
from dockersweep.model.attempt import outcome_for
from dockersweep.model.outcome import Outcome
from dockersweep.model.plan import Removal
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from tests.commands.test_guard_rails import removable, slow
from tests.rig.fake_engine import FakeEngine, fake_engine, reply, wait_for_request
from tests.rig.inventories import ENGINE, image, inventory, plan_of
from tests.rig.running import Run, dockersweep, start

NOW = ("--yes", "--older-than", "0s")


def sweep(engine: FakeEngine, *flags: str) -> Run:
    return dockersweep("sweep", *NOW, *flags, host=engine.url)


def said_nothing(run: Run) -> bool:
    return (run.status, run.stdout, run.stderr) == (0, "", "")


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def refuses(engine: FakeEngine, name: str) -> None:
    engine.replies[f"/containers/{name}"] = reply({"message": "no"}, 500)


# Quiet.


def test_a_quiet_sweep_says_nothing_where_there_is_nothing_to_do() -> None:
    with fake_engine() as engine:
        assert said_nothing(sweep(engine, "--quiet"))
        assert "Nothing to remove" in sweep(engine).stdout


def test_a_quiet_sweep_tells_what_it_removed() -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        assert "Removed 1 container" in sweep(engine, "-q").stdout


def test_a_quiet_sweep_names_at_most_twenty_of_what_went() -> None:
    names = [f"job-{number}" for number in range(1, 24)]
    with fake_engine() as engine:
        removable(engine, *names)
        run = sweep(engine, "--quiet", "--yes-first-time")
    named = ", ".join(f"container {name}" for name in names[:20])
    assert f"Removed objects: {named} and 3 more.\n" in run.stdout
    with fake_engine() as engine:
        removable(engine, "a", "b")
        assert "Removed objects" not in sweep(engine, "--yes-first-time").stdout


def test_a_quiet_sweep_tells_what_failed() -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        refuses(engine, "a")
        run = sweep(engine, "--quiet")
    assert run.status == 3
    assert re.search(r"^failed +container +a +", run.stdout, re.MULTILINE)


def test_a_quiet_sweep_is_silent_about_what_was_used_meanwhile() -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        engine.replies["/containers/a"] = reply({"message": "in use"}, 409)
        assert said_nothing(sweep(engine, "--quiet"))


def test_a_quiet_sweep_tells_that_it_is_refused() -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        run = sweep(engine, "--quiet", "--max-objects", "0")
    assert (run.status, run.stdout) == (4, "")
    assert run.stderr.startswith("dockersweep: nothing removed: over a limit")


def test_a_quiet_sweep_warns_of_a_ledger_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with fake_engine() as engine:
        flags = [*NOW, "--quiet"]
        run = dockersweep("sweep", *flags, host=engine.url, DOCKERSWEEP_STATE_DIR=str(tmp_path / "file" / "x"))
    assert run.status == 0
    assert "Warning: ledger: " in run.stdout


def test_a_quiet_sweep_still_writes_its_file(tmp_path: Path) -> None:
    file = tmp_path / "last.txt"
    with fake_engine() as engine:
        assert said_nothing(sweep(engine, "--quiet", "-o", str(file)))
    assert "Nothing to remove" in file.read_text()


def test_a_quiet_dry_run_tells_what_would_go() -> None:
    with fake_engine() as engine:
        assert said_nothing(sweep(engine, "--quiet", "--dry-run"))
        removable(engine, "a")
        assert "1 container: whatever its age (stopped" in sweep(engine, "--quiet", "--dry-run").stdout


def test_a_quiet_apply(tmp_path: Path) -> None:
    plan = str(tmp_path / "plan.json")
    with fake_engine() as engine:
        dockersweep("plan", *NOW[1:], "-o", plan, host=engine.url)
        assert said_nothing(dockersweep("apply", "--quiet", "--yes", plan, host=engine.url))


def test_apply_warns_that_it_will_need_a_yes(tmp_path: Path) -> None:
    plan = str(tmp_path / "plan.json")
    with fake_engine() as engine:
        dockersweep("plan", *NOW[1:], "-o", plan, host=engine.url)
        for flags, is_warned in (([], True), (["--quiet"], True), (["--yes"], False)):
            run = dockersweep("apply", plan, *flags, host=engine.url)
            assert run.status == 0
            assert ("a later version will need --yes" in run.stdout + run.stderr) == is_warned


# Events.


def test_json_has_a_line_for_each_event() -> None:
    with fake_engine() as engine:
        removable(engine, "a", "b")
        refuses(engine, "b")
        run = sweep(engine, "--log-format", "json", "--keep-name", "nothing")
    begin, warning, *removals, end = events(run.stderr)
    assert begin["event"] == "begin"
    assert (begin["verb"], begin["engine"], begin["removals"], begin["run"]) == ("sweep", "box", 2, 1)
    assert begin["policy"] == "the default policy and command-line flags"
    assert (warning["event"], warning["about"]) == ("warning", "--keep-name")
    assert {(one["event"], one["name"], one["status"]) for one in removals} == {
        ("removal", "a", "removed"),
        ("removal", "b", "failed"),
    }
    assert all(one["reasons"] for one in removals)
    assert (end["event"], end["removed"], end["failed"], end["exit_status"]) == ("end", 1, 1, 3)
    assert run.status == 3
    assert all(one["at"].endswith("Z") for one in events(run.stderr))
    # The result stays where it was.
    assert "Removed 1 container; 1 failed" in run.stdout


def test_history_tells_the_flags_of_a_sweep() -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        sweep(engine, "--keep-name", "x y")
        run = dockersweep("history", "1")
    rows = [" ".join(line.split()) for line in run.stdout.splitlines()]
    assert "policy the default policy and command-line flags (--older-than 0s --keep-name 'x y')" in rows


def test_the_journal_gets_its_priorities() -> None:
    with fake_engine() as engine:
        removable(engine, "a", "b")
        refuses(engine, "b")
        run = sweep(engine, "--log-format", "journal")
    begin, *removals, end = run.stderr.splitlines()
    assert begin == "<6>sweep of box: 2 removals planned, freeing unknown, by the default policy and command-line flags"
    assert sorted(line[:21] for line in removals) == ["<4>remove container b", "<5>remove container a"]
    assert end == "<4>1 removed, 1 failed; exit status 3"


def test_the_journal_names_a_rule_once() -> None:
    entries = Entries(ENGINE, 1)
    plan = plan_of(inventory(image("a"), image("b", parent="a")), DEFAULT_POLICY)
    entries.plan(plan)
    [removal] = [one for one in plan.removals if one.name == "a"]
    logged = entries.of(removal, outcome_for(removal, "removed", None, None))
    why = "first seen 10 days ago (limit 24 hours); parent of image b, which goes too"
    assert logged.message == f"remove image a: removed: dangling images: {why}"
    assert [reason.partition(": ")[0] for reason in logged.entry.reasons] == ["dangling images"] * 2


def test_text_is_as_it_was() -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        assert sweep(engine).stderr == ""


@pytest.mark.parametrize("log_format", ["json", "journal"])
def test_errors_are_events(log_format: str) -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        refused = sweep(engine, "--log-format", log_format, "--max-objects", "0").stderr.splitlines()
    unreachable = dockersweep("sweep", "--yes", "--log-format", log_format, host="unix:///none")
    assert (unreachable.status, unreachable.stdout) == (5, "")
    if log_format == "journal":
        assert refused[-1].startswith("<3>nothing removed: over a limit")
        assert unreachable.stderr.startswith("<3>cannot reach the engine")
    else:
        told = [json.loads(refused[-1]), json.loads(unreachable.stderr)]
        assert [(one["event"], one["exit_status"]) for one in told] == [("error", 4), ("error", 5)]


@pytest.mark.parametrize("log_format", ["text", "json", "journal"])
def test_an_unexpected_error_in_a_worker_keeps_its_traceback(
    log_format: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def goes_wrong(hand: object, removal: Removal) -> Outcome:
        raise KeyError(f"\x1b[31m{removal.name}")

    monkeypatch.setattr("dockersweep.engine.removing.executor.remove_one", goes_wrong)
    with fake_engine() as engine:
        removable(engine, "a")
        flags = ("--yes-first-time", "--log-format", log_format, *NOW)
        assert main(["-H", engine.url, "sweep", *flags]) == 3
        assert ("DELETE", "/containers/a") not in engine.asked
    out, err = capfd.readouterr()
    assert "this is a bug" in out
    lines = err.splitlines()
    if log_format == "json":
        told = next(one for one in events(err) if one["event"] == "traceback")
        lines = told["lines"]
        assert told["text"].startswith("KeyError")
        assert events(err)[-1]["event"] == "end"
    elif log_format == "journal":
        lines = [line.removeprefix("<3>") for line in lines if line.startswith("<3>")]
    assert lines[0] == "Traceback (most recent call last):"
    assert any("in goes_wrong" in line for line in lines)
    assert "\x1b" not in err


def test_a_signal_is_an_event() -> None:
    with fake_engine() as engine:
        removable(engine, "a", "b")
        engine.replies["/containers/a"] = slow
        process = start("-H", engine.url, "sweep", *NOW, "--yes-first-time", "--log-format", "json")
        wait_for_request(engine, "DELETE", "/containers/a")
        process.send_signal(signal.SIGTERM)
        engine.release.set()
        _, said = process.communicate(timeout=20)
    told = events(said)
    assert [one["signal"] for one in told if one["event"] == "signal"] == ["SIGTERM"]
    assert told[-1]["event"] == "end"
    assert told[-1]["exit_status"] == process.returncode
    assert process.returncode in (0, 143)


def test_hostile_names_are_one_line_without_controls() -> None:
    name = "a\n<0>evil\x1b[31m"
    with fake_engine() as engine:
        removable(engine, "a")
        listed = json.loads(engine.replies["/containers/json"][1])  # type: ignore[index]
        listed[0]["Names"] = [f"/{name}"]
        engine.replies["/containers/json"] = reply(listed)
        run = sweep(engine, "--log-format", "journal")
    assert all(re.match(r"<[3-6]>", line) for line in run.stderr.splitlines())
    assert "\x1b" not in run.stderr


@pytest.mark.parametrize("flags", ["--log-format json", "--format csv --keep-name nothing"])
@pytest.mark.parametrize("target", ["2>/dev/full", "2>&-", pytest.param("2> >(true)", marks=pytest.mark.linux)])
def test_events_and_warnings_that_nobody_takes_stop_nothing(flags: str, target: str) -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        words = [sys.executable, "-m", "dockersweep", "-H", engine.url, "sweep", *NOW, "--yes-first-time"]
        command = f"{shlex.join(words)} {flags} {target}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "removed" in done.stdout.lower()


def test_a_protection_that_matches_nothing_is_no_warning_of_the_journal() -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        run = sweep(engine, "--keep-name", "gone*", "--yes-first-time", "--log-format", "journal")
    assert [line[:3] for line in run.stderr.splitlines() if "matches nothing" in line] == ["<5>"]


def test_apply_has_events_too(tmp_path: Path) -> None:
    plan = str(tmp_path / "plan.json")
    with fake_engine() as engine:
        removable(engine, "a")
        dockersweep("plan", *NOW[1:], "-o", plan, host=engine.url)
        run = dockersweep("apply", "--yes", plan, "--log-format", "json", host=engine.url)
    assert [one["event"] for one in events(run.stderr)] == ["begin", "removal", "end"]
    assert events(run.stderr)[0]["policy"].startswith(f"the plan in {plan} of ")
