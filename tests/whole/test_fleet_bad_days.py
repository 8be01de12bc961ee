"""Several hosts on a bad day: an engine that removes more than it is asked to, and a person who has seen enough."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rig.fake_engine import FakeEngine, Handler, Reply, fake_engine, reply
from tests.rig.running import dockersweep, start

IMAGE = f"sha256:{'a' * 64}"
SWEEP = ("--yes", "--yes-first-time", "--older-than", "0s", "--no-ledger", "--format", "json", "--parallel", "1")
PATIENCE_SECONDS = 15
VOLUMES = 80


def with_image(engine: FakeEngine, number: int, answer: object) -> None:
    """Give an engine an untagged image; `answer` is what it says when that is removed."""
    there = {"Id": IMAGE, "RepoTags": [], "RepoDigests": [], "Created": 1700000000, "Size": 5, "SharedSize": 0}
    there |= {"Containers": 0, "ParentId": "", "Labels": None}

    def serve(handler: Handler) -> Reply:
        if handler.command == "DELETE":
            return reply(answer)
        return reply({**there, "Created": "2026-01-01T00:00:00Z", "RootFS": {"Layers": []}, "Config": {}})

    identity = {"ID": f"FAKE-{number}", "Name": f"box{number}", "Driver": "overlay2", "DockerRootDir": "/d"}
    engine.replies["/info"] = reply({**identity, "SystemTime": "2026-11-24T12:00:00Z"})
    engine.replies["/images/json"] = reply([there])
    engine.replies[f"/images/{IMAGE}/history"] = reply([])
    for path in (f"/images/{IMAGE}/json", f"/images/{IMAGE}", f"/images/moby-dangling@{IMAGE}"):
        engine.replies[path] = serve


def deleted(engine: FakeEngine) -> list[str]:
    return [path for method, path in engine.asked if method == "DELETE"]


@pytest.fixture
def two() -> Iterator[tuple[FakeEngine, FakeEngine]]:
    with fake_engine() as one, fake_engine() as other:
        yield one, other


def test_a_host_that_removes_more_than_asked_ends_the_rollout(two: tuple[FakeEngine, FakeEngine]) -> None:
    greedy, other = two
    with_image(greedy, 1, [{"Untagged": "precious:1"}, {"Deleted": IMAGE}])
    with_image(other, 2, [{"Deleted": IMAGE}])
    run = dockersweep("-H", greedy.url, "-H", other.url, "sweep", *SWEEP)
    hosts = run.json()["hosts"]
    assert [host["status"] for host in hosts] == ["failed", "not-begun"], run.stdout
    assert run.json()["rollout"]["stopped"] == f"more was removed on {greedy.url} than was asked for"
    assert not deleted(other)
    assert run.status == 3
    # The other way round both get their turn: nothing was wrong before.
    run = dockersweep("-H", other.url, "-H", greedy.url, "sweep", *SWEEP)
    assert [host["status"] for host in run.json()["hosts"]] == ["done", "failed"]


def slow_volumes(engine: FakeEngine, number: int) -> None:
    """Give an engine more volumes than are removed at once, that it takes half a second each to remove."""
    identity = {"ID": f"FAKE-{number}", "Name": f"box{number}", "Driver": "overlay2", "DockerRootDir": "/d"}
    engine.replies["/info"] = reply({**identity, "SystemTime": "2026-11-24T12:00:00Z"})
    anonymous = {"com.docker.volume.anonymous": ""}
    there: dict[str, Any] = {
        name: {"Name": name, "Driver": "local", "Mountpoint": f"/d/{name}", "Labels": anonymous, "Options": None,
               "Scope": "local", "CreatedAt": "2026-01-01T00:00:00Z"}
        for name in (f"{place:064x}" for place in range(VOLUMES))
    }  # fmt: skip
    engine.replies["/volumes"] = lambda handler: reply({"Volumes": list(there.values())})

    def serve(handler: Handler) -> Reply:
        name = handler.path.partition("?")[0].rpartition("/")[2]
        if handler.command == "DELETE":
            time.sleep(0.5)
            del there[name]
            return 204, b""
        return reply(there[name])

    for name in there:
        engine.replies[f"/volumes/{name}"] = serve


def await_removal(engine: FakeEngine) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not deleted(engine):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_after_a_signal_a_host_finishes_what_it_has_begun(
    two: tuple[FakeEngine, FakeEngine], number: signal.Signals
) -> None:
    one, other = two
    slow_volumes(one, 1)
    slow_volumes(other, 2)
    with start("-H", one.url, "-H", other.url, "sweep", *SWEEP) as process:
        await_removal(one)
        process.send_signal(number)
        out, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 128 + number
    first, second = json.loads(out)["hosts"]
    outcomes = [outcome["status"] for outcome in first["document"]["outcomes"]]
    assert 0 < outcomes.count("removed") == len(deleted(one)) < VOLUMES
    assert set(outcomes) == {"removed", "not-attempted"}
    assert second["status"] == "not-begun"
    assert not deleted(other)
    assert "every host finishes what it has begun, the rest is not begun" in errors


@pytest.mark.linux
def test_what_a_killed_run_was_removing_is_settled_by_the_next(
    two: tuple[FakeEngine, FakeEngine], tmp_path: Path
) -> None:
    one, _ = two
    slow_volumes(one, 1)
    words = [word for word in SWEEP if word != "--no-ledger"]
    with start("-H", one.url, "-H", "unix:///none.sock", "sweep", *words) as process:
        await_removal(one)
        process.kill()
    # The host's own process has noticed that nobody folds what it does, and has finished what was under way.
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not any(run["state"] == "ended" for run in dockersweep("history", "--format", "json").json()["runs"]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    [run] = dockersweep("history", "--format", "json").json()["runs"]
    assert run["exit_status"] == 143
    assert run["removed"]["volume"] == len(deleted(one)) < VOLUMES


def denying(handler: Handler) -> Reply:
    return reply({"message": "denied"}, 403)


def test_who_answers_with_an_error_was_reached(two: tuple[FakeEngine, FakeEngine]) -> None:
    one, other = two
    one.replies["/info"] = denying
    run = dockersweep("-H", one.url, "-H", other.url, "plan", "--allow-unreached", "1", "--format", "json")
    assert [host["status"] for host in run.json()["hosts"]] == ["failed", "done"]
    assert run.status == 5


def test_of_one_engine_by_two_addresses_the_one_that_answers_counts(
    two: tuple[FakeEngine, FakeEngine], tmp_path: Path
) -> None:
    broken, good = two
    slow_volumes(broken, 1)
    slow_volumes(good, 1)
    broken.replies["/containers/json"] = denying
    hosts = ("-H", broken.url, "-H", good.url)
    file = str(tmp_path / "plan.json")
    planned = dockersweep(*hosts, "plan", "--older-than", "0s", "--no-ledger", "-o", file)
    assert planned.status == 5
    plan = json.loads(Path(file).read_text())
    assert [host["same_as"] for host in plan["hosts"]] == [good.url, None]
    assert plan["sums"]["freed"]["volume"]["objects"] == VOLUMES
    applied = dockersweep("apply", file, "--yes", "--yes-first-time", "--no-ledger", "--format", "json")
    # What did not end well when the plans were made is still told.
    assert applied.status == 5
    assert [host["status"] for host in applied.json()["hosts"]] == ["failed", "done"]
    assert len(deleted(good)) == VOLUMES


def test_a_plan_of_several_goes_to_the_one_that_is_named(two: tuple[FakeEngine, FakeEngine], tmp_path: Path) -> None:
    one, other = two
    slow_volumes(one, 1)
    slow_volumes(other, 2)
    file = str(tmp_path / "plan.json")
    flags = ("--older-than", "0s", "--no-ledger", "--exit-code")
    assert dockersweep("-H", one.url, "-H", other.url, "plan", *flags, "-o", file).status == 10
    apply = ("apply", file, "--yes", "--yes-first-time", "--no-ledger")
    assert dockersweep("-H", other.url, *apply).status == 0
    assert not deleted(one)
    assert len(deleted(other)) == VOLUMES
    nobody = dockersweep("-H", "unix:///none.sock", *apply)
    assert nobody.status == 2
    assert "has no plan for unix:///none.sock" in nobody.stderr
    assert dockersweep("-c", "nope", *apply).status == 2


def test_a_plan_file_that_was_spoiled_is_refused(two: tuple[FakeEngine, FakeEngine], tmp_path: Path) -> None:
    one, other = two
    slow_volumes(one, 1)
    file = tmp_path / "plan.json"
    assert dockersweep("-H", one.url, "-H", other.url, "plan", "--no-ledger", "-o", str(file)).status == 0
    plan = json.loads(file.read_text())
    plan["hosts"][1]["name"] = plan["hosts"][0]["name"]
    # Sorted, as jq -S writes it.
    file.write_text(json.dumps(plan, sort_keys=True))
    run = dockersweep("apply", str(file), "--yes", "--no-ledger")
    assert run.status == 2
    assert f"has 2 hosts called {one.url}" in run.stderr


def test_without_files_for_more_processes_hosts_wait_for_their_turn(two: tuple[FakeEngine, FakeEngine]) -> None:
    one, other = two
    slow_volumes(one, 1)
    slow_volumes(other, 2)
    words = f"-m dockersweep -H {one.url} -H {other.url} plan --no-ledger --parallel 64"
    command = f"ulimit -n 24; exec {sys.executable} {words}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    assert "2 hosts:" in done.stdout, done.stderr


def test_the_fleet_file_is_not_replaced_by_a_result(two: tuple[FakeEngine, FakeEngine], tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(f'version = 1\n[[host]]\nname = "one"\nhost = "{two[0].url}"\n')
    fleet.chmod(0o644)
    run = dockersweep("--fleet", str(fleet), "plan", "-o", str(fleet))
    assert run.status == 2
    assert "the result would replace the fleet file" in run.stderr
    assert fleet.read_text().startswith("version = 1")
