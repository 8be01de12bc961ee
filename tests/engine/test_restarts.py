"""Which stopped containers the engine starts again: the default policy spares exactly these."""

from __future__ import annotations

import subprocess
import time

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import OLDEST_AND_NEWEST
from tests.rig.engines.launch import environment, podman
from tests.rig.engines.litter import Litter
from tests.rig.running import dockersweep

FLAGS = ("--kind", "container", "--older-than", "0s")
PATIENCE_SECONDS = 20


def stopped(litter: Litter, name: str, restart: str) -> None:
    """Make a container that `docker stop` ended: with 137, because it does not heed the polite signal."""
    made = litter.container(name, state="running", restart=restart)
    litter.engine.wire.call("POST", f"/containers/{made}/stop", t=0)


def given_up(litter: Litter, name: str, restart: str) -> None:
    """Make a container that failed until its retries were used up."""
    made = litter.container(name, state="exited", exit_code=1, restart=restart)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (told := litter.state(made))["Status"] != "exited" or told["RestartCount"] < 1:
        assert time.monotonic() < deadline, told
        time.sleep(0.05)


def names(engine: Engine, **filters: str) -> set[str]:
    listed = engine.api.containers(all=True, filters=filters)
    return {one["Names"][0].removeprefix("/") for one in listed}


def started_by_the_restart_service(engine: Engine) -> set[str]:
    """Return what Podman's own unit, podman-restart.service, would start."""
    unit = engine.kind.root.path / "usr/lib/systemd/system/podman-restart.service"
    (start,) = (line for line in unit.read_text().splitlines() if line.startswith("ExecStart="))
    wanted = start.partition("--filter ")[2].split()[0]
    inside = ["nsenter", "-t", str(engine.pid), "-a", "--root"]
    command = podman(engine.run_directory, engine.data_root)
    done = subprocess.run(
        [*inside, *command, "ps", "--all", "--filter", wanted, "--format", "{{.Names}}"],
        env=environment(engine.kind, engine.run_directory),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.enough_on(*OLDEST_AND_NEWEST)
def test_what_the_engine_starts_again_stays(litter: Litter) -> None:
    engine = litter.engine
    stopped(litter, "always", "always")
    stopped(litter, "by-hand", "unless-stopped")
    stopped(litter, "failed", "on-failure")
    stopped(litter, "few-retries", "on-failure:3")
    given_up(litter, "given-up", "on-failure:1")
    litter.container("done", restart="on-failure")
    litter.container("never-started", state="created", restart="on-failure")
    stopped(litter, "no-policy", "no")
    is_podman = engine.kind.flavour == "podman"
    comes_back = {"always"} if is_podman else {"always", "failed", "few-retries"}

    run = dockersweep("sweep", "--yes", *FLAGS, host=engine.url)
    assert run.status == 0, run.stderr
    assert names(engine) == comes_back | {"by-hand"}
    if is_podman:
        assert started_by_the_restart_service(engine) == comes_back
        return
    engine.restart()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while names(engine, status="running") != comes_back and time.monotonic() < deadline:
        time.sleep(0.05)
    assert names(engine, status="running") == comes_back


@pytest.mark.on_engines("docker-28.5", "podman-6.1")
def test_explain_and_report_say_so(litter: Litter) -> None:
    stopped(litter, "failed", "on-failure")
    told = dockersweep("explain", "failed", "--older-than", "0s", host=litter.engine.url).stdout
    found = dockersweep("report", "--format", "json", host=litter.engine.url).json()["findings"]
    is_spared = litter.engine.kind.flavour == "docker"
    assert ("restarts by itself (on-failure, exit code 137)" in told) == is_spared
    assert ("DS014" in {one["id"] for one in found}) == is_spared


@pytest.mark.on_engines("docker-20.10", "docker-28.5")
def test_what_got_retries_since_the_plan_stays(litter: Litter) -> None:
    """`docker update` leaves the name of the policy as it was."""
    given_up(litter, "given-up", "on-failure:1")
    plan = dockersweep("plan", "--format", "json", *FLAGS, host=litter.engine.url)
    path = litter.engine.run_directory / "plan.json"
    path.write_text(plan.stdout)
    litter.engine.docker("update", "--restart", "on-failure:9", "given-up")
    run = dockersweep("apply", str(path), "--yes", host=litter.engine.url)
    assert run.status == 0, run.stderr
    assert names(litter.engine) == {"given-up"}
