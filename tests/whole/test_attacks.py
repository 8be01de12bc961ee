"""What somebody tried who meant harm, or had bad luck: files that hang, are shared, or are not what they seem."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from dockersweep.ledger import Ledger
from tests.commands.test_apply import save_plan
from tests.commands.test_guard_rails import deletes, removable, sweep
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.fake_engine import fake_engine
from tests.rig.running import dockersweep


def test_an_audit_log_that_another_process_keeps_locked_does_not_hold_up_the_run(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    with log.open("w") as held, fake_engine() as engine:
        fcntl.flock(held, fcntl.LOCK_EX)
        removable(engine, "a")
        run = sweep(engine, "--yes-first-time", "--audit-log", str(log), "--format", "json")
    assert run.status == 0
    [problem] = [one["text"] for one in run.json()["warnings"] if one["about"] == "audit log"]
    assert problem == f"{log} cannot be written any more: another process keeps it locked"


def test_the_result_reaches_the_reader_of_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    told: list[str] = []
    reader = threading.Thread(target=lambda: told.append(pipe.read_text()))
    reader.start()
    with fake_engine() as engine:
        removable(engine, "a")
        run = sweep(engine, "--yes-first-time", "-o", str(pipe), "--format", "json")
    reader.join(20)
    assert (run.status, run.stdout) == (0, "")
    assert json.loads(told[0])["outcomes"][0]["status"] == "removed"


def test_one_file_for_the_result_and_the_audit_log_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "both.json")
    with fake_engine() as engine:
        removable(engine, "a")
        run = sweep(engine, "--yes-first-time", "-o", path, "--audit-log", f"{tmp_path}/./both.json")
        assert deletes(engine) == []
    assert run.status == 2
    assert "the result would replace the log" in run.stderr


def test_an_audit_log_on_standard_output_stands_before_the_result(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with fake_engine() as engine, out.open("w") as stdout:
        removable(engine, "a", "b")
        words = ["-H", engine.url, "sweep", "--yes", "--yes-first-time", "--older-than", "0s"]
        command = [sys.executable, "-m", "dockersweep", *words, "--audit-log", "/dev/stdout"]
        assert subprocess.run(command, stdout=stdout, check=False).returncode == 0
    lines = out.read_text().splitlines()
    assert [json.loads(line)["status"] for line in lines[:2]] == ["removed", "removed"]
    assert "Removed 2 containers" in " ".join(lines[2:])


def forged(plan: Any, times: int, **changes: object) -> Any:
    row = plan["removals"][0] | changes
    return plan | {"removals": [row] * times}


def test_sizes_that_a_plan_makes_up_do_not_reach_the_ledger(tmp_path: Path) -> None:
    huge = {"low_bytes": 2**63 - 1, "high_bytes": 2**63 - 1}
    with fake_engine() as engine:
        removable(engine, "a")
        path = tmp_path / "plan.json"
        plan = save_plan(engine.url, path, "--older-than", "0s")
        rows = [plan["removals"][0] | {"id": name, "name": name, "reclaim": huge} for name in ("x", "y")]
        path.write_text(json.dumps(plan | {"removals": rows}))
        run = dockersweep("apply", "--yes", str(path), host=engine.url)
        assert run.status == 0
        told = dockersweep("history", "1", "--format", "json")
    assert told.status == 0
    assert [one["predicted"] for one in told.json()["removals"]] == [{"low_bytes": 0, "high_bytes": 0}] * 2


def test_a_removal_that_a_plan_names_three_times_is_one_in_the_ledger(tmp_path: Path) -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        path = tmp_path / "plan.json"
        plan = save_plan(engine.url, path, "--older-than", "0s")
        path.write_text(json.dumps(forged(plan, 3)))
        run = dockersweep("apply", "--yes", str(path), "--format", "json", host=engine.url)
        assert deletes(engine) == []
        told = dockersweep("history", "1", "--format", "json").json()["removals"]
    assert [one["status"] for one in run.json()["outcomes"]] == ["skipped"] * 3
    assert [one["status"] for one in told] == ["skipped"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root distrusts")
def test_a_ledger_that_others_can_write_is_not_believed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    Ledger(state).close()
    (state / "ledger.sqlite3").chmod(0o666)
    with Ledger(state) as memory:
        assert str(memory.problem).endswith(
            f"others than root can write {state}/ledger.sqlite3; this run goes on without a ledger"
        )
    (state / "ledger.sqlite3").chmod(0o600)
    os.chown(state, 65534, -1)
    with Ledger(state) as memory:
        assert f"others than root can write {state};" in str(memory.problem)


def test_a_lock_that_is_a_link_to_elsewhere_is_not_followed(tmp_path: Path) -> None:
    state, precious = tmp_path / "state", tmp_path / "precious"
    precious.write_text("precious")
    only_own = {"DOCKERSWEEP_STATE_DIR": str(state), "DOCKERSWEEP_LOCK_DIR": str(tmp_path / "none")}
    with fake_engine() as engine:
        removable(engine, "a")
        sweep(engine, "--yes-first-time", **only_own)
        [lock] = (state / "locks").iterdir()
        lock.unlink()
        lock.symlink_to(precious)
        run = sweep(engine, "--yes-first-time", "--format", "json", **only_own)
    assert precious.read_text() == "precious"
    assert "lock" in [one["about"] for one in run.json()["warnings"]]


def test_history_of_a_ledger_that_is_a_pipe_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ledger.sqlite3")
    run = dockersweep("history", "verify", DOCKERSWEEP_STATE_DIR=str(tmp_path))
    assert run.status == 2
    assert "is not a plain file" in run.stdout + run.stderr


def test_a_short_history_does_not_make_what_is_there_young() -> None:
    with fake_engine() as engine:
        removable(engine, "a")
        dockersweep("scan", host=engine.url)
        sweep(engine, "--keep-history", "0s", "--kind", "image")
        told = dockersweep("history", "--object", "container:a", "--format", "json").json()
    assert [one["is_there"] for one in told["lives"]] == [True]


def test_the_plan_of_a_sweep_is_for_the_engine_that_is_meant_too() -> None:
    with fake_engine() as engine:
        run = dockersweep("sweep", "--dry-run", "--confirm-engine", "other", host=engine.url)
    assert run.status == 4


@pytest.mark.enough_on(*NEWEST)
def test_two_names_of_one_socket_are_one_engine(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    litter.volume("data")
    other = tmp_path / "other.sock"
    other.symlink_to(engine.recorder.path)
    plan = tmp_path / "plan.json"
    save_plan(engine.url, plan, "--older-than", "0s", "--named-volumes", "--kind", "volume")
    run = dockersweep("apply", "--yes", str(plan), "--format", "json", host=f"unix://{other}")
    assert run.status == 0, run.stderr
    assert [one["status"] for one in run.json()["outcomes"]] == ["removed"]
