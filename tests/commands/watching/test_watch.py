"""`dockersweep watch` as a whole, on an engine that does what the test wants."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.commands.test_guard_rails import removable
from tests.rig.fake_engine import EMPTY, FakeEngine, Handler, Reply, fake_engine, reply
from tests.rig.running import dockersweep
from tests.rig.running_watcher import RunningWatcher, watching

pytestmark = pytest.mark.programs

OLD_CONTAINERS = '[[rule]]\nname = "all"\nkind = "container"\neverything = true\nremove.older_than = "0s"\n'
AT_ONCE = 'splay = "0s"\nsettle = "0s"\nbackoff = "1s"\n'


def policy(folder: Path, *, sweep: str = "every 1s", rules: str = OLD_CONTAINERS, more: str = "") -> Path:
    path = folder / "dockersweep.toml"
    written = folder / "new"
    written.write_text(f'version = 1\n{rules}{more}[watch]\nsweep = "{sweep}"\n{AT_ONCE}')
    written.rename(path)
    return path


def follow(handler: Handler) -> Reply | None:
    """Answer a request for events up to now at once, and one for those to come not before the end."""
    if "until=" in handler.path:
        return (200, b"")
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.flush()
    handler.server.engine.release.wait(60)
    return None


@contextmanager
def engine_with(*containers: str) -> Iterator[FakeEngine]:
    with fake_engine() as engine:
        engine.replies["/events"] = follow
        removable(engine, *containers)
        yield engine


@contextmanager
def watcher_on(engine: FakeEngine, path: Path, *flags: str) -> Iterator[RunningWatcher]:
    arguments = ("--policy", str(path), "-H", engine.url, "--yes-first-time", "--interval", "1s", *flags)
    with watching(*arguments) as watcher:
        yield watcher


def wait_for_removal(engine: FakeEngine) -> None:
    deadline = time.monotonic() + 30
    while not deletions(engine):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def deletions(engine: FakeEngine) -> list[str]:
    return [path for method, path in engine.asked if method == "DELETE"]


def test_the_rules_are_carried_out_on_their_schedule(tmp_path: Path) -> None:
    with engine_with("a", "b") as engine, watcher_on(engine, policy(tmp_path)) as watcher:
        first = watcher.until("watching")
        assert "rules: every 1s" in first["text"]
        there = watcher.until("engine-there")
        assert (there["endpoint"], there["engine"]) == (engine.url, "box")
        assert watcher.until("sweep-begins")["cause"] == "schedule"
        end = watcher.until("sweep-ends")
        assert (end["exit_status"], end["removed"]) == (0, 2)
        assert end["text"].startswith("sweep by the schedule ended: removed 2 objects")
        assert sorted(deletions(engine)) == ["/containers/a", "/containers/b"]
        assert watcher.end() == 128 + signal.SIGTERM
        # The next sweep may have begun.
        assert watcher.events[-1]["event"] in ("stops", "gap", "sweep-ends")
        assert not watcher.others
        # What it did is in the ledger, as its own.
        assert [run["verb"] for run in dockersweep("history", "--format", "json").json()["runs"]][-1] == "watch"


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    with engine_with() as engine, watcher_on(engine, policy(tmp_path, sweep="never")) as watcher:
        watcher.until("engine-there")
        assert watcher.end(signal.SIGINT) == 128 + signal.SIGINT


def test_a_signal_in_the_middle_of_a_sweep_lets_the_removal_in_hand_finish(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(100)]
    with engine_with(*names) as engine:

        def slowly(handler: Handler) -> Reply:
            time.sleep(0.5)
            return (204, b"")

        engine.replies.update({f"/containers/{name}": slowly for name in names})
        with watcher_on(engine, policy(tmp_path)) as watcher:
            watcher.until("sweep-begins")
            wait_for_removal(engine)
            assert watcher.end() == 128 + signal.SIGTERM
            end = watcher.until("sweep-ends")
            assert 0 < end["removed"] < 100
            assert end["exit_status"] == 128 + signal.SIGTERM
            stops = watcher.until("stops")
            assert "after the removal that is under way" in stops["text"]
        assert len(deletions(engine)) == end["removed"]


def test_an_engine_that_is_away_at_the_start_is_waited_for(tmp_path: Path) -> None:
    with engine_with("a") as engine:
        socket = Path(engine.url.removeprefix("unix://"))
        hidden = socket.with_name("hidden")
        socket.rename(hidden)
        with watcher_on(engine, policy(tmp_path)) as watcher:
            away = watcher.until("engine-away")
            assert "there is no such socket" in away["text"]
            assert away["text"].endswith("waiting for it")
            hidden.rename(socket)
            assert " again, after " in watcher.until("engine-there")["text"]
            watcher.until("sweep-ends", exit_status=0, removed=1)


def test_a_policy_is_read_again_and_one_that_does_not_hold_is_refused(tmp_path: Path) -> None:
    path = policy(tmp_path, sweep="never")
    with engine_with("a") as engine, watcher_on(engine, path) as watcher:
        watcher.until("engine-there")
        path.write_text("version = 1\n[[rule]]\nnam = 5\n")
        refused = watcher.until("policy-refused")
        assert "line 2, column 1" in refused["text"]
        assert refused["text"].endswith("the one from before stays in force")
        policy(tmp_path)
        changed = watcher.until("policy")
        assert "is in force; changed: [watch]; no target; rules: every 1s" in changed["text"]
        watcher.until("sweep-ends", removed=1)
        after = watcher.count
        watcher.send(signal.SIGHUP)
        watcher.until("policy", after=after)
        path.unlink()
        assert "cannot be read" in watcher.until("policy-refused", after=after)["text"]


def test_a_sweep_uses_the_policy_in_force_whatever_has_become_of_its_file(tmp_path: Path) -> None:
    path = policy(tmp_path)
    with engine_with() as engine, watcher_on(engine, path) as watcher:
        watcher.until("sweep-ends", exit_status=0)
        path.write_text("no policy")
        watcher.until("policy-refused")
        removable(engine, "late")
        watcher.until("sweep-ends", removed=1, exit_status=0)


def test_another_run_is_waited_for_and_told_once(tmp_path: Path) -> None:
    with engine_with("a") as engine:

        def at_work(handler: Handler) -> Reply | None:
            handler.server.engine.release.wait(4)
            return (204, b"")

        engine.replies["/containers/a"] = at_work
        rules = policy(tmp_path)
        other = subprocess.Popen(
            [sys.executable, "-m", "dockersweep", "-H", engine.url, "sweep", "--yes", "--yes-first-time", "-q",
             "--older-than", "0s"], stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_for_removal(engine)
            with watcher_on(engine, rules) as watcher:
                busy = watcher.until("sweep-ends")
                assert "is at work on the engine" in busy["text"]
                assert "; tried again from " in busy["text"]
                watcher.until("sweep-ends", exit_status=0)
                assert sum(one["event"] == "sweep-ends" and one["exit_status"] == 4 for one in watcher.events) == 1
        finally:
            other.wait(30)


def test_a_sweep_over_a_limit_is_not_tried_again_before_its_next_time(tmp_path: Path) -> None:
    rules = policy(tmp_path, sweep="every 1h", more="[limits]\nobjects = 0\n")
    with engine_with("a") as engine, watcher_on(engine, rules) as watcher:
        end = watcher.until("sweep-ends")
        assert end["exit_status"] == 4
        assert "1 object to remove, 0 allowed" in end["text"]
        assert "tried again" not in end["text"]
        time.sleep(3)
        assert sum(one["event"] == "sweep-begins" for one in watcher.events) == 1
        assert not deletions(engine)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("version = 2\n", "this dockersweep reads version 1"),
        ('version = 1\n[target]\nfree = "1GB"\n', "a watcher needs a target that begins when space is short"),
    ],
)
def test_a_policy_that_cannot_be_watched_by_ends_it_at_the_start(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text(text)
    run = dockersweep("watch", "--policy", str(path), "-H", f"unix://{tmp_path}/none")
    assert run.status == 2
    assert problem in run.stderr
    assert run.stderr.count("\n") == 1


def test_a_target_on_an_engine_elsewhere_is_said_to_be_left_to_the_schedule(tmp_path: Path) -> None:
    rules = policy(tmp_path, sweep="never", more='[target]\nstart_above = "80%"\n')
    with engine_with("a") as engine, watcher_on(engine, rules) as watcher:
        notice = watcher.until("notice")
        assert notice["text"].startswith("the engine's disk cannot be seen from here")


def test_an_engine_that_breaks_off_again_and_again_is_left_in_peace_and_told_of_a_few_times(tmp_path: Path) -> None:
    with engine_with("a") as engine:
        engine.replies["/events"] = (200, b"")
        with watcher_on(engine, policy(tmp_path, sweep="never")) as watcher:
            watcher.until("engine-there")
            time.sleep(3)
            before = len(engine.asked)
            time.sleep(8)
            assert watcher.end() == 128 + signal.SIGTERM
        # Some ten for each attempt, and one look at its disks.
        assert len(engine.asked) - before < 60
        assert sum(one["event"] == "gap" for one in watcher.events) <= 3


def test_another_engine_at_the_same_socket_is_taken_note_of(tmp_path: Path) -> None:
    with engine_with() as engine:
        info = json.loads(EMPTY["/info"][1])
        ends = threading.Event()

        def until_another_comes(handler: Handler) -> Reply | None:
            if "until=" not in handler.path and not ends.is_set():
                handler.send_response(200)
                handler.send_header("Transfer-Encoding", "chunked")
                handler.end_headers()
                handler.wfile.flush()
                ends.wait(60)
                return None
            return follow(handler)

        engine.replies["/events"] = until_another_comes
        with watcher_on(engine, policy(tmp_path, sweep="every 1h")) as watcher:
            watcher.until("sweep-ends", exit_status=0)
            engine.replies["/info"] = reply({**info, "ID": "OTHER", "Name": "crate"})
            ends.set()
            assert watcher.until("engine-there", engine="crate")
            # It was never swept.
            watcher.until("sweep-ends", after=watcher.count - 1, exit_status=0)


def test_its_sweeps_import_nothing_of_the_folder_it_was_started_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkout: Path
) -> None:
    """Root may start it in a folder where others write."""
    for name in ("msgspec", "json", "dockersweep", "encodings", "codecs", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(99)")
    rules = policy(tmp_path)
    with engine_with("a") as engine:
        monkeypatch.chdir(tmp_path)
        watcher = RunningWatcher(
            "--policy", str(rules), "-H", engine.url, "--yes-first-time",
            environment={"PYTHONPATH": str(checkout)}, python=("-P",),
        )  # fmt: skip
        try:
            assert watcher.until("sweep-ends")["removed"] == 1, watcher.told
        finally:
            watcher.close()


def test_an_engine_that_tells_no_events_up_to_now_is_said_to_prove_nothing(tmp_path: Path) -> None:
    with engine_with() as engine:
        engine.replies["/events"] = lambda handler: (500, b"no") if "until=" in handler.path else follow(handler)
        with watcher_on(engine, policy(tmp_path, sweep="never")) as watcher:
            told = watcher.until("uncompared")
            assert "GET /events with 500: no" in told["text"]
            time.sleep(2)
            assert sum(one["event"] == "uncompared" for one in watcher.events) == 1


def test_a_missing_program_and_other_warnings_are_told_once_not_by_each_sweep(tmp_path: Path) -> None:
    more = '[protect]\nlabels = ["keep"]\n[notify]\ncommand = ["/no/such"]\non = ["silent", "removed"]\n'
    with engine_with("a") as engine, watcher_on(engine, policy(tmp_path, more=more)) as watcher:
        watcher.until("sweep-ends", removed=1)
        for _ in range(2):
            watcher.until("sweep-ends", after=watcher.count, exit_status=0)
        told = [str(one) for one in watcher.events if one["event"] in ("notice", "warning")]
        assert [sum(words in one for one in told) for words in ("/no/such", "keep matches nothing")] == [1, 1]
        assert watcher.end() == 128 + signal.SIGTERM


def on_a_terminal(arguments: Sequence[str], until: str, after: float) -> tuple[int, str]:
    """Run a watcher on a terminal; once `until` is there, wait, and press Ctrl-C. Return its exit
    status and all that it wrote."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "dockersweep", "watch", *arguments])
    written, pressed = "", False
    try:
        while True:
            try:
                data = os.read(terminal, 4096)
            except OSError:
                break
            if not data:
                break
            written += data.decode()
            if until in written and not pressed:
                pressed = True
                time.sleep(after)
                os.write(terminal, b"\x03")
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), written
    finally:
        os.close(terminal)
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@pytest.mark.parametrize("after", [0.0, 0.1, 0.3, 0.6])
def test_ctrl_c_while_a_sweep_begins_is_told_in_two_quiet_lines(tmp_path: Path, after: float) -> None:
    with engine_with("a") as engine:
        arguments = ("--policy", str(policy(tmp_path)), "-H", engine.url, "--yes-first-time")
        status, written = on_a_terminal(arguments, "sweep by the schedule begins", after)
    assert status == 128 + signal.SIGINT, written
    lines = [line for line in written.replace("\r", "").split("\n") if "SIGINT" in line or "ended" in line]
    assert "Traceback" not in written
    assert "tried again" not in written
    assert "once more to stop at once" not in written
    assert sum("SIGINT: the watcher ends" in line for line in lines) == 1


def test_a_second_watcher_is_told_of_the_first_and_both_go_on(tmp_path: Path) -> None:
    rules = policy(tmp_path, sweep="never")
    with engine_with() as engine, watcher_on(engine, rules) as first:
        first.until("engine-there")
        with watcher_on(engine, rules) as second:
            second.until("engine-there")
            other = [one["text"] for one in second.events if f"process {first.process.pid}" in str(one.get("text"))]
            assert [text.endswith("end one of them") for text in other] == [True], second.told
            assert second.end() == 128 + signal.SIGTERM
        assert first.end() == 128 + signal.SIGTERM


@pytest.mark.parametrize("status", [403, 501])
def test_where_events_are_refused_the_schedule_goes_on(tmp_path: Path, status: int) -> None:
    with engine_with("a") as engine:
        engine.replies["/events"] = (status, b'{"message": "not allowed"}')
        with watcher_on(engine, policy(tmp_path)) as watcher:
            told = watcher.until("unfollowed")
            assert f"GET /events with {status}: not allowed" in told["text"]
            assert watcher.until("engine-there")["text"].startswith("without the events of the engine")
            assert watcher.until("sweep-ends")["removed"] == 1
            engine.replies["/events"] = follow
            watcher.until("unfollowed", problem=None)
            assert sum(one["event"] in ("unfollowed", "engine-away") for one in watcher.events) == 2, watcher.told
