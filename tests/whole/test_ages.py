"""What plan and explain say of what was used between two scans, on real engines, beside a neighbour that was not."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.running import dockersweep

# What engines tell of uses is tried on each of them in tests/engine/test_last_uses.py.
pytestmark = pytest.mark.enough_on(*NEWEST)
ON_DOCKER = pytest.mark.on_engines("docker-20.10", "docker-26.1", "docker-28.5", "docker-28.5-containerd")
ON_PODMAN = pytest.mark.on_engines("podman-5.8", "podman-6.1")
SECONDS = 8
AGED = f"""
version = 1
[[rule]]
name = "as far as is known"
kind = ["volume", "network", "image"]
match.name = ["aged-*", "*aged/*"]
remove.older_than = "{SECONDS}s"

[[rule]]
name = "known to be unused"
kind = ["volume", "network", "image"]
match.name = ["unused-*", "*unused/*"]
remove.unused_for = "{SECONDS}s"
"""


@pytest.fixture
def policy(tmp_path: Path) -> str:
    file = tmp_path / "dockersweep.toml"
    file.write_text(AGED)
    return str(file)


def planned(engine: Engine, policy: str) -> dict[str, Any]:
    run = dockersweep("plan", "--policy", policy, "--format", "json", host=engine.url)
    assert run.status == 0, run.stderr
    return {one["name"].removeprefix("localhost/"): one for one in run.json()["decisions"]}


def explained(engine: Engine, policy: str, name: str) -> str:
    run = dockersweep("explain", name, "--policy", policy, host=engine.url)
    assert run.status == 0, run.stderr
    return " ".join(run.stdout.split())


@ON_DOCKER
def test_a_job_between_two_scans_keeps_what_it_used_and_its_neighbour_goes(
    engine: Engine, litter: Litter, policy: str
) -> None:
    litter.base()
    for name in ("aged-used", "aged-other", "unused-used", "unused-other"):
        litter.volume(name)
        litter.network(name)
    assert dockersweep("scan", host=engine.url).status == 0
    time.sleep(SECONDS)
    litter.job("backup-1", volumes={"aged-used": "/a", "unused-used": "/b"}, networks=["aged-used", "unused-used"])
    run = dockersweep("plan", "--policy", policy, "--format", "json", host=engine.url)
    assert run.status == 0, run.stderr
    verdicts = {(one["kind"], one["name"]): one["verdict"] for one in run.json()["decisions"]}
    for kind in ("volume", "network"):
        told = {name: verdicts[kind, name] for name in ("aged-used", "aged-other", "unused-used", "unused-other")}
        assert told == {
            "aged-used": "keep", "aged-other": "remove", "unused-used": "keep", "unused-other": "remove",
        }  # fmt: skip
    text = explained(engine, policy, "volume:aged-used")
    assert "by backup-1 (removed)" in text
    assert "unmounted backup-1 (removed)" in text
    assert "watched by dockersweep" in explained(engine, policy, "volume:unused-other")


@ON_PODMAN
def test_podman_tells_of_a_jobs_image_and_what_else_it_may_have_held_is_not_known_to_be_unused(
    engine: Engine, litter: Litter, policy: str
) -> None:
    for name in ("used", "other"):
        litter.image(f"aged/{name}:1", layers={name: 1000}, runnable=True)
        litter.volume(f"unused-{name}")
    assert dockersweep("scan", host=engine.url).status == 0
    time.sleep(SECONDS)
    told = planned(engine, policy)
    assert told["unused-used"]["verdict"] == told["unused-other"]["verdict"] == "remove"
    litter.job("backup-1", image="aged/used:1", volumes={"unused-used": "/a"})
    time.sleep(SECONDS)
    litter.job("backup-2", image="aged/used:1", volumes={"unused-used": "/a"})
    told = planned(engine, policy)
    assert (told["aged/used:1"]["verdict"], told["aged/other:1"]["verdict"]) == ("keep", "remove")
    assert "by backup-2 (removed)" in explained(engine, policy, "aged/used:1")
    # None of Podman's events names the volumes of a container, and nothing was written to these.
    assert {told[f"unused-{name}"]["reasons"][0]["code"] for name in ("used", "other")} == {"unwatched"}


def make_many_events(engine: Engine, litter: Litter) -> None:
    for number in range(140):
        litter.volume(f"many-{number % 2}")
        engine.wire.call("DELETE", f"/volumes/many-{number % 2}")


@ON_DOCKER
def test_what_was_not_watched_stays_where_it_must_be_known_to_be_unused(
    engine: Engine, litter: Litter, policy: str
) -> None:
    for name in ("aged-a", "unused-a"):
        litter.volume(name)
    assert dockersweep("scan", host=engine.url).status == 0
    # So many events that those before them are forgotten: nobody knows what was used meanwhile. How long they take says
    # how long must pass before them, so that most of the time is unknown on a busy machine too.
    begun = time.monotonic()
    make_many_events(engine, litter)
    time.sleep(max(SECONDS, time.monotonic() - begun))
    make_many_events(engine, litter)
    told = planned(engine, policy)
    assert told["aged-a"]["verdict"] == "remove"
    assert told["unused-a"]["verdict"] == "keep"
    [reason] = told["unused-a"]["reasons"]
    assert reason["code"] == "unwatched"
    assert "Not watched" in explained(engine, policy, "volume:unused-a")
    report = dockersweep("report", "--policy", policy, "--format", "json", host=engine.url).json()
    [finding] = [one for one in report["findings"] if one["id"] == "DS020"]
    assert finding["objects"] == 1


@ON_DOCKER
def test_a_use_that_the_engine_forgot_with_its_restart_keeps_what_must_be_known_to_be_unused(
    engine: Engine, litter: Litter, policy: str
) -> None:
    litter.base()
    for name in ("aged-used", "aged-other", "unused-used"):
        litter.volume(name)
    assert dockersweep("scan", host=engine.url).status == 0
    time.sleep(SECONDS)
    litter.job("lost-1", volumes={"unused-used": "/a"})
    engine.restart()
    litter.job("kept-1", volumes={"aged-used": "/a"})
    told = planned(engine, policy)
    verdicts = {name: told[name]["verdict"] for name in ("aged-used", "aged-other", "unused-used")}
    assert verdicts == {"aged-used": "keep", "aged-other": "remove", "unused-used": "keep"}
    assert told["unused-used"]["reasons"][0]["code"] == "unwatched"
    assert "Not watched" in explained(engine, policy, "volume:unused-used")
    assert "by kept-1 (removed)" in explained(engine, policy, "volume:aged-used")


@pytest.mark.enough_on("docker-28.5-containerd")
def test_an_exec_is_a_use_that_plan_and_explain_know(engine: Engine, litter: Litter, policy: str) -> None:
    for name in ("used", "other"):
        litter.image(f"aged/{name}:1", layers={name: 1000}, runnable=True)
    server = litter.container("server-1", image="aged/used:1", state="running")
    assert dockersweep("scan", host=engine.url).status == 0
    time.sleep(SECONDS)
    engine.docker("exec", "server-1", "true")
    assert "ran a command" in explained(engine, policy, "aged/used:1")
    engine.wire.call("DELETE", f"/containers/{server}", force="1")
    told = planned(engine, policy)
    assert (told["aged/used:1"]["verdict"], told["aged/other:1"]["verdict"]) == ("keep", "remove")
    assert "server-1 (removed)" in explained(engine, policy, "aged/used:1")


@pytest.mark.on_engines("docker-26.1", "docker-28.5", "docker-28.5-containerd")
@pytest.mark.skipif(os.geteuid() != 0, reason="layers of records are read as root")
def test_a_build_is_a_use_of_its_base_though_it_makes_no_event(engine: Engine, litter: Litter, policy: str) -> None:
    litter.image("aged/base:1", layers={"aged-1": 10_000, "aged-2": 10_000})
    litter.image("aged/other:1", layers={"other-1": 10_000})
    assert dockersweep("scan", host=engine.url).status == 0
    time.sleep(SECONDS)
    litter.build("FROM aged/base:1\nCOPY a /a\nCOPY b /b\n", {"a": b"1", "b": b"2"}, image="made:1")
    told = planned(engine, policy)
    assert told["aged/other:1"]["verdict"] == "remove"
    assert told["aged/base:1"]["verdict"] == "keep"
    assert told["aged/base:1"]["reasons"][0]["code"] == "too-young"
    assert "used by a build" in explained(engine, policy, "aged/base:1")


@ON_DOCKER
def test_a_container_into_which_files_were_copied_stays_with_its_volume_and_its_neighbour_goes(
    engine: Engine, litter: Litter, tmp_path: Path
) -> None:
    policy = tmp_path / "dockersweep.toml"
    policy.write_text(AGED.replace('kind = ["volume",', 'kind = ["container", "volume",'))
    litter.base()
    for name in ("copied", "other"):
        litter.volume(f"aged-{name}-data")
        litter.container(f"aged-{name}", state="created", volumes={f"aged-{name}-data": "/d"})
    assert dockersweep("scan", host=engine.url).status == 0
    time.sleep(SECONDS)
    engine.docker("cp", str(policy), "aged-copied:/d/file")
    told = planned(engine, str(policy))
    assert {name: told[name]["verdict"] for name in told if name.startswith("aged-")} == {
        "aged-copied": "keep", "aged-copied-data": "keep", "aged-other": "remove", "aged-other-data": "remove",
    }  # fmt: skip
    assert "files copied" in explained(engine, str(policy), "aged-copied")
    assert "mounted aged-copied" in explained(engine, str(policy), "volume:aged-copied-data")


def test_what_a_running_container_holds_is_in_use_now(engine: Engine, litter: Litter, policy: str) -> None:
    litter.base()
    litter.volume("aged-data")
    litter.container("server", volumes={"aged-data": "/d"}, state="running")
    assert dockersweep("scan", host=engine.url).status == 0
    assert "age in use now" in explained(engine, policy, "volume:aged-data")
