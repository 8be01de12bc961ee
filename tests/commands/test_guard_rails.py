"""What stands between an unattended run and an accident: the engine's name, its first time, another run, the ledger."""

from __future__ import annotations

import json
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dockersweep.commands.removal_entry import Entries
from dockersweep.commands.running import audit_log
from dockersweep.commands.running.audit_log import AuditLog
from dockersweep.engine.api.throw_away import MARKER_FILE, MARKER_LABEL
from dockersweep.model.outcome import Outcome
from dockersweep.model.plan import NOTHING, Removal
from tests.rig.fake_containers import stopped, with_containers
from tests.rig.fake_engine import EMPTY, FakeEngine, Handler, Reply, fake_engine, reply, wait_for_request
from tests.rig.inventories import ENGINE
from tests.rig.running import Run, dockersweep, on_a_terminal, start


def sweep(engine: FakeEngine, *flags: str, **environment: str) -> Run:
    return dockersweep("sweep", "--yes", "--older-than", "0s", *flags, host=engine.url, first_time=False, **environment)


def deletes(engine: FakeEngine) -> list[str]:
    return [path for method, path in engine.asked if method == "DELETE"]


def removable(engine: FakeEngine, *names: str) -> None:
    with_containers(engine, *names)
    for name in names:
        engine.replies[f"/containers/{name}"] = (204, b"")


# The first time.


def test_an_unattended_first_sweep_does_not_remove_more_than_half() -> None:
    with fake_engine() as engine:
        removable(engine, "a", "b")
        run = sweep(engine)
        assert deletes(engine) == []
        assert run.status == 4
        assert run.stderr == (
            f"dockersweep: nothing removed: nobody has looked at the engine at {engine.url} from a terminal yet, and "
            "2 of 2 containers would go; look with `dockersweep plan` from a terminal, as this "
            "user, or give --yes-first-time\n"
        )
        # A refused run has shown nobody anything.
        assert sweep(engine).status == 4
        assert on_a_terminal(["-H", engine.url, "plan"], "")[0] == 0
        assert sweep(engine).status == 0
        assert len(deletes(engine)) == 2


@pytest.mark.parametrize(
    "words",
    [("scan",), ("plan",), ("report", "-o", "ds.prom"), ("explain", "a"), ("sweep", "--dry-run")],
    ids=lambda words: words[0],
)
def test_what_nobody_can_have_seen_is_no_look(words: tuple[str, ...], tmp_path: Path) -> None:
    words = tuple(str(tmp_path / word) if word.endswith(".prom") else word for word in words)
    with fake_engine() as engine:
        removable(engine, "a")
        assert dockersweep(*words, host=engine.url).status == 0
        assert sweep(engine).status == 4
        assert on_a_terminal(["-H", engine.url, *words], "")[0] == 0
        assert sweep(engine).status == 0


def test_who_says_no_to_a_sweep_has_seen_its_plan() -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        assert on_a_terminal(["-H", engine.url, "sweep", "--older-than", "0s"], "n\n")[0] == 0
        assert deletes(engine) == []
        assert sweep(engine).status == 0


def test_a_night_on_which_little_went_is_no_look() -> None:
    with fake_engine() as engine:
        assert sweep(engine).status == 0
        removable(engine, "a")
        assert sweep(engine).status == 4
        assert sweep(engine, "--yes-first-time").status == 0
        assert sweep(engine).status == 0


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_a_plan_that_is_piped_is_seen_all_the_same(stream: str) -> None:
    own, other = pty.openpty()
    with fake_engine() as engine, open(own, "rb"), open(other, "rb+", buffering=0) as terminal:
        removable(engine, "a")
        stdin, stdout, stderr = (
            terminal.fileno() if one == stream else subprocess.DEVNULL for one in ("stdin", "stdout", "stderr")
        )
        command = [sys.executable, "-m", "dockersweep", "-H", engine.url, "plan"]
        subprocess.run(command, stdin=stdin, stdout=stdout, stderr=stderr, check=True, timeout=30)
        assert sweep(engine).status == 0


def test_a_plan_that_nobody_sees_says_that_a_sweep_would_be_refused(tmp_path: Path) -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        why = (
            f"Warning: sweep: with --yes it would be refused: nobody has looked at the engine at {engine.url} from "
            "a terminal yet, and 1 of 1 containers would go; look with `dockersweep plan` from a "
            "terminal, as this user, or give --yes-first-time\n"
        )
        for words in (("plan",), ("sweep", "--dry-run")):
            run = dockersweep(*words, "--older-than", "0s", host=engine.url)
            assert (run.status, why in run.stdout, run.stderr) == (0, True, why), words
        little = dockersweep("plan", "--kind", "volume", host=engine.url)
        assert "refused" not in little.stdout + little.stderr
        status, shown = on_a_terminal(["-H", engine.url, "plan"], "")
        assert (status, "refused" in shown) == (0, False)
        assert "refused" not in dockersweep("plan", host=engine.url).stdout


def test_a_first_sweep_goes_ahead_where_it_is_said_so_or_where_it_removes_little() -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        assert sweep(engine, "--yes-first-time").status == 0
    with fake_engine() as engine:
        removable(engine, "a")
        running = stopped("web") | {"State": "running"}
        engine.replies["/containers/json"] = (200, json.dumps([stopped("a"), running]).encode())
        assert sweep(engine).status == 0
        assert deletes(engine) == ["/containers/a"]


def test_without_a_ledger_every_sweep_is_the_first() -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        assert dockersweep("plan", "--no-ledger", host=engine.url).status == 0
        assert sweep(engine, "--no-ledger").status == 4
        assert sweep(engine, "--no-ledger", "--yes-first-time").status == 0


# The engine that is meant.


@pytest.mark.parametrize(("name", "status"), [("box", 0), ("FAKE", 0), ("other", 4), ("", 4)])
def test_the_engine_that_is_meant(name: str, status: int) -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        run = sweep(engine, "--yes-first-time", "--confirm-engine", name)
        assert len(deletes(engine)) == (status == 0)
    assert run.status == status
    if status:
        assert f'the engine at {engine.url} is "box" and not "{name}", which --confirm-engine asks for' in run.stderr


# The time of a test.

LATER = "2099-01-01T00:00:00Z"


def test_the_time_of_a_test_is_refused_where_something_would_really_go(tmp_path: Path) -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        saved = tmp_path / "plan.json"
        look = (("plan", "-o", str(saved)), ("report",), ("sweep", "--dry-run"))
        for words in look:
            assert dockersweep(*words, host=engine.url, DOCKERSWEEP_NOW=LATER).status == 0, words
        for words in (("sweep", "--yes"), ("apply", "--yes", str(saved))):
            run = dockersweep(*words, host=engine.url, DOCKERSWEEP_NOW=LATER)
            assert (run.status, run.stdout) == (2, ""), words
            assert run.stderr == (
                "dockersweep: nothing removed: DOCKERSWEEP_NOW is set, so no age is right: unset it, or use --dry-run\n"
            )
        assert deletes(engine) == []
        assert dockersweep("sweep", "--yes", host=engine.url, DOCKERSWEEP_NOW="").status == 0
        assert deletes(engine) == ["/containers/a"]


@pytest.mark.parametrize("mark", ["file", "label"])
def test_the_time_of_a_test_is_taken_on_an_engine_of_the_tests(mark: str, tmp_path: Path) -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        info = json.loads(EMPTY["/info"][1]) | {"DockerRootDir": str(tmp_path), "Labels": ["region=eu"]}
        engine.replies["/info"] = reply(info)
        assert dockersweep("sweep", "--yes", host=engine.url, DOCKERSWEEP_NOW=LATER).status == 2
        if mark == "file":
            (tmp_path / MARKER_FILE).touch()
        else:
            engine.replies["/info"] = reply(info | {"Labels": ["region=eu", MARKER_LABEL]})
        assert dockersweep("sweep", "--yes", host=engine.url, DOCKERSWEEP_NOW=LATER).status == 0
        assert deletes(engine) == ["/containers/a"]


# The lock.


def slow(handler: Handler) -> Reply:
    handler.server.engine.release.wait(30)
    return 204, b""


@contextmanager
def sweep_held_up() -> Iterator[tuple[FakeEngine, subprocess.Popen[str]]]:
    """An engine that does not answer the only removal of a sweep until `release` is set."""
    with fake_engine() as engine:
        removable(engine, "a")
        engine.replies["/containers/a"] = slow
        run = start("-H", engine.url, "sweep", "--yes", "--yes-first-time", "--older-than", "0s")
        wait_for_request(engine, "DELETE", "/containers/a")
        yield engine, run


def test_a_second_run_is_refused_and_names_the_first() -> None:
    with sweep_held_up() as (engine, first):
        second = sweep(engine)
        assert dockersweep("plan", host=engine.url).status == 0
        engine.release.set()
        first.communicate(timeout=20)
    assert first.returncode == 0
    assert second.status == 4
    assert f"nothing removed: process {first.pid}, which began 20" in second.stderr
    assert f"is at work on the engine at {engine.url}; wait for it with --lock-timeout" in second.stderr


def test_a_run_that_the_lock_refused_is_in_the_history() -> None:
    with sweep_held_up() as (engine, first):
        assert sweep(engine).status == 4
        refused, running = dockersweep("history", "--format", "json").json()["runs"]
        metrics = dockersweep("report", "--format", "prometheus", host=engine.url).stdout
        engine.release.set()
        first.communicate(timeout=20)
    assert (refused["exit_status"], refused["verb"], refused["state"]) == (4, "sweep", "ended")
    assert f"process {first.pid}" in refused["note"]
    assert running["state"] == "running"
    assert re.search(r'^dockersweep_last_run_status{.*status="refused"} 1.0$', metrics, re.MULTILINE)
    assert [one["exit_status"] for one in dockersweep("history", "--format", "json").json()["runs"]] == [4, 0]
    assert "is at work on the engine" in dockersweep("history", str(refused["number"])).stdout


def test_a_run_that_cannot_read_the_engine_is_in_the_history() -> None:
    with fake_engine() as engine:
        engine.replies["/containers/json"] = (500, b'{"message": "out of order"}')
        assert sweep(engine).status == 5
        [run] = dockersweep("history", "--format", "json").json()["runs"]
        engine.replies["/containers/json"] = EMPTY["/containers/json"]
        metrics = dockersweep("report", "--format", "prometheus", host=engine.url).stdout
    assert (run["exit_status"], "out of order" in run["note"]) == (5, True)
    assert re.search(r'^dockersweep_last_run_status{.*status="engine-failed"} 1.0$', metrics, re.MULTILINE)


def test_a_second_run_waits_when_asked_to() -> None:
    with sweep_held_up() as (engine, first):
        second = start("-H", engine.url, "sweep", "--yes", "--older-than", "0s", "--lock-timeout", "20s")
        assert sweep(engine, "--lock-timeout", "1s").status == 4
        engine.release.set()
        first.communicate(timeout=20)
        second.communicate(timeout=20)
    assert (first.returncode, second.returncode) == (0, 0)


def test_the_lock_dies_with_its_process() -> None:
    with sweep_held_up() as (engine, first):
        first.send_signal(signal.SIGKILL)
        first.communicate(timeout=20)
        engine.replies["/containers/a"] = (204, b"")
        run = sweep(engine)
        engine.release.set()
    assert run.status == 0, run.stderr


# The ledger.


def test_a_required_ledger_that_cannot_be_written_refuses_the_sweep(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with fake_engine() as engine:
        removable(engine, "a")
        state = str(tmp_path / "file" / "state")
        nowhere = {"DOCKERSWEEP_STATE_DIR": state, "DOCKERSWEEP_LOCK_DIR": state}
        run = sweep(engine, "--yes-first-time", "--require-ledger", **nowhere)
        assert deletes(engine) == []
        assert run.status == 4
        assert "nothing removed: " in run.stderr
        assert "--require-ledger" in run.stderr
        without = sweep(engine, "--yes-first-time", "--format", "json", **nowhere)
        assert deletes(engine) == ["/containers/a"]
    assert without.status == 0
    assert {"ledger", "lock"} <= {one["about"] for one in without.json()["warnings"]}
    assert without.json()["run"] is None


def test_a_killed_run_is_told_by_the_next() -> None:
    with fake_engine() as engine:
        removable(engine, "a", "b")

        def gone_and_silent(handler: Handler) -> Reply | None:
            del engine.replies["/containers/a/json"]
            engine.replies["/containers/json"] = (200, json.dumps([stopped("b")]).encode())
            handler.server.engine.release.wait(30)
            return None

        engine.replies["/containers/a"] = gone_and_silent
        engine.replies["/containers/b"] = slow
        first = start("-H", engine.url, "sweep", "--yes", "--yes-first-time", "--older-than", "0s")
        wait_for_request(engine, "DELETE", "/containers/a")
        wait_for_request(engine, "DELETE", "/containers/b")
        first.send_signal(signal.SIGKILL)
        first.communicate(timeout=20)
        engine.release.set()
        engine.replies["/containers/b"] = (204, b"")
        run = sweep(engine, "--format", "json")
        again = sweep(engine, "--format", "json")
        told = dockersweep("history", "1", "--format", "json")
    assert run.status == 0
    [warning] = [one for one in run.json()["warnings"] if one["about"] == "run 1"]
    assert f"(process {first.pid}) and did not end" in warning["text"]
    assert "container a was in hand, and is gone" in warning["text"]
    assert "container b was in hand, and is still there" in warning["text"]
    assert [one["about"] for one in again.json()["warnings"]] == []
    removals = {one["id"]: one["status"] for one in told.json()["removals"]}
    assert removals == {"a": "removed", "b": "failed"}


def test_what_fails_in_every_run_is_named_from_the_third_on() -> None:
    with fake_engine() as engine:
        with_containers(engine, "a", "b")
        engine.replies["/containers/a"] = (500, b'{"message": "device busy"}')
        engine.replies["/containers/b"] = (500, b'{"message": "sometimes"}')
        told = []
        for number in range(4):
            if number == 1:
                engine.replies["/containers/b"] = (409, b'{"message": "used"}')
            if number == 2:
                engine.replies["/containers/b"] = (500, b'{"message": "sometimes"}')
            run = sweep(engine, "--yes-first-time", "--format", "json")
            told.append({one["id"]: (one["failed_runs"], one["detail"]) for one in run.json()["outcomes"]})
    assert [one["a"][0] for one in told] == [1, 2, 3, 4]
    assert [one["b"][0] for one in told] == [1, None, 1, 2]
    assert told[1]["a"][1] == "device busy"
    assert told[2]["a"][1].startswith("failed in 3 runs in a row, since 20")
    assert told[2]["a"][1].endswith(": device busy")


# The audit log.


def audited(engine: FakeEngine, log: Path | str, *flags: str) -> Run:
    return sweep(engine, "--yes-first-time", "--audit-log", str(log), *flags)


def test_the_audit_log_has_a_line_for_each_removal_and_is_appended_to(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    with fake_engine() as engine:
        removable(engine, "a", "b")
        engine.replies["/containers/b"] = (409, b'{"message": "used"}')
        assert audited(engine, log).status == 0
        first = [json.loads(line) for line in log.read_text().splitlines()]
        assert audited(engine, log).status == 0
        assert [json.loads(line) for line in log.read_text().splitlines()][: len(first)] == first
    told: dict[str, Any] = {one["id"]: one for one in first}
    assert {key: one["status"] for key, one in told.items()} == {"a": "removed", "b": "skipped"}
    assert told["a"]["reasons"][0].startswith("stopped containers: ")
    assert (told["a"]["run"], told["a"]["engine"], told["a"]["engine_id"]) == (1, "box", "FAKE")
    assert told["b"]["detail"] == "in use: used"
    assert log.stat().st_mode & 0o777 == 0o600


def test_an_audit_log_that_cannot_be_opened_is_told_before_anything_is_removed(tmp_path: Path) -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        run = audited(engine, tmp_path / "none" / "log")
        assert deletes(engine) == []
    assert run.status == 2
    assert f"nothing removed: the audit log {tmp_path}/none/log cannot be written: No such file" in run.stderr


def test_an_audit_log_on_a_full_disk_is_told_and_the_sweep_goes_on() -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        run = audited(engine, "/dev/full", "--format", "json")
    assert run.status == 0
    assert [one for one in run.json()["warnings"] if one["about"] == "audit log"] == [
        {"about": "audit log", "text": "/dev/full cannot be written any more: No space left on device"}
    ]
    assert run.json()["outcomes"][0]["status"] == "removed"


REMOVAL = Removal(
    kind="volume", id="v", name="a\nb", action="remove", judged={}, reclaim=NOTHING, after=()
)  # fmt: skip


def test_the_journal_gets_its_own_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "journal")
    monkeypatch.setattr(audit_log, "JOURNAL_SOCKET", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(path)
        log = AuditLog("journal")
        outcome = Outcome(
            kind="volume", id="v", name="a\nb", action="remove", status="failed", detail="busy", freed_bytes=None
        )
        log.write(Entries(ENGINE, None).of(REMOVAL, outcome))
        data = journal.recv(100_000)
        log.close()
    assert data.startswith(b"MESSAGE=remove volume a\\nb: failed: busy\nPRIORITY=4\nSYSLOG_IDENTIFIER=dockersweep\n")
    assert b"DOCKERSWEEP_NAME\n" + (3).to_bytes(8, "little") + b"a\nb\n" in data
    assert b"DOCKERSWEEP_STATUS=failed\n" in data


def test_no_journal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    if Path(audit_log.JOURNAL_SOCKET).exists():
        pytest.skip("this machine has a journal")
    with fake_engine() as engine:
        removable(engine, "a")
        run = audited(engine, "journal")
        assert deletes(engine) == []
    assert run.status == 2
    assert "the audit log the journal at /run/systemd/journal/socket cannot be written" in run.stderr


# Signals that the caller ignores.


def test_a_run_under_nohup_goes_on() -> None:
    code = "import signal, runpy, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
    code += "sys.argv[0] = 'dockersweep'; runpy.run_module('dockersweep', run_name='__main__')"
    with fake_engine() as engine:
        removable(engine, "a")
        engine.replies["/containers/a"] = slow
        command = [sys.executable, "-c", code, "-H", engine.url, "sweep", "--yes", "--yes-first-time"]
        process = subprocess.Popen([*command, "--older-than", "0s"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_for_request(engine, "DELETE", "/containers/a")
        process.send_signal(signal.SIGHUP)
        engine.release.set()
        process.communicate(timeout=20)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("flags", "advice"),
    [
        (("--max-objects", "0"), "raise the limit with --max-objects if it is right\n"),
        (
            ("--max-unrecoverable", "0"),
            "if it is right; archive it with --archive, or keep what cannot be recovered with --only-recoverable\n",
        ),
        (
            ("--max-unrecoverable", "0", "--max-objects", "0"),
            "raise the limit with --max-objects or --max-unrecoverable",
        ),
    ],
)
def test_a_plan_over_a_limit_names_what_is_lost_and_its_flags(flags: tuple[str, ...], advice: str) -> None:
    with fake_engine() as engine:
        with_containers(engine, *(f"web{number}" for number in range(7)))
        run = dockersweep("sweep", "--yes", "--yes-first-time", "--older-than", "0s", *flags, host=engine.url)
    assert run.status == 4
    assert advice in run.stderr
    names = "7 objects to remove that cannot be recovered (container web0, container web1, container web2, "
    assert (f"{names}container web3, container web4 and 2 more), 0 allowed" in run.stderr) == (
        "--max-unrecoverable" in flags
    )
