"""dockersweep in a container that is built by the recipe, on the very engine that it sweeps."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.engines.own_image import NAME, have_own_image, run_in_container

on_both = pytest.mark.on_engines("docker-28.5", "podman-6.1")
on_docker = pytest.mark.on_engines("docker-28.5")
LEDGER = ("--volume", "ledger:/var/lib/dockersweep")
EVERYTHING = ("--older-than", "0s", "--all-images", "--named-volumes")


@on_both
def test_it_sweeps_its_engine_and_spares_itself(engine: Engine, litter: Litter) -> None:
    have_own_image(engine)
    litter.image("old:1")
    for name in ("lost", "forgotten"):
        engine.docker("volume", "create", name)
    refused = run_in_container(engine, "sweep", "--yes", *EVERYTHING, options=LEDGER)
    assert refused.returncode == 4, refused.stderr
    assert "nobody has looked at the engine" in refused.stderr
    # A look from a terminal is kept in the ledger.
    looked = run_in_container(engine, "plan", options=(*LEDGER, "--tty"), check=True)
    assert "ledger" not in looked.stdout
    swept = run_in_container(engine, "sweep", "--yes", *EVERYTHING, options=LEDGER, check=True)
    assert "Removed " in swept.stdout, swept.stderr
    images = engine.docker("image", "ls", "--format", "{{.Repository}}").stdout.split()
    names = {name.rpartition("/")[2] for name in images}
    # Podman keeps the base, too, which the image needs.
    assert names - {"base"} == {NAME}
    assert engine.docker("volume", "ls", "--quiet").stdout.split() == ["ledger"]
    history = run_in_container(engine, "history", "--format", "json", options=LEDGER, check=True)
    assert [run["exit_status"] for run in json.loads(history.stdout)["runs"]] == [0, 4]


def without_a_volume_it_says_that_the_ledger_goes(engine: Engine) -> None:
    run = run_in_container(engine, "plan", check=True)
    assert "Warning: ledger: it goes with this container" in run.stderr
    assert "mount a volume at /var/lib/dockersweep" in run.stderr
    read_only = run_in_container(engine, "plan", options=("--read-only",), check=True)
    assert "Read-only file system; this run goes on without a ledger" in read_only.stderr
    assert "it goes with this container" not in read_only.stderr
    both = run_in_container(engine, "plan", options=("--read-only", *LEDGER), check=True)
    assert "ledger" not in both.stderr


def a_user_of_the_group_of_the_socket_may(engine: Engine) -> None:
    user = ("--user", "1000:1000", "--volume", "its-ledger:/var/lib/dockersweep")
    refused = run_in_container(engine, "plan", options=user)
    assert refused.returncode == 5
    assert "permission denied: run as root, or as a member of the group that owns the socket" in refused.stderr
    group = str(engine.socket.stat().st_gid)
    run = run_in_container(engine, "plan", options=(*user, "--group-add", group), check=True)
    assert "ledger" not in run.stderr


def as_the_first_process_it_ends_when_it_is_told_to(engine: Engine) -> None:
    """The kernel keeps from such a process what it does not handle, and docker would kill it after ten seconds."""
    waits = "mkfifo /tmp/pipe; sleep 100 >/tmp/pipe & exec dockersweep scan --inventory /tmp/pipe"
    engine.docker("run", "--detach", "--name", "slow", "--network", "none", "--entrypoint", "sh", NAME, "-c", waits)
    deadline = time.monotonic() + 20
    while "dockersweep" not in engine.docker("exec", "slow", "cat", "/proc/1/cmdline").stdout:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    # It has opened the pipe by then, and waits for an end.
    time.sleep(1)
    engine.docker("kill", "--signal", "TERM", "slow")
    assert engine.docker("wait", "slow").stdout.strip() == "143"


def folders_of_the_container_are_not_taken_for_the_engines(engine: Engine) -> None:
    root, own = str(engine.data_root), engine.run_directory / "own"
    for entry in ("overlay2", "image/overlay2/imagedb/content/sha256", "containers"):
        (own / entry).mkdir(parents=True)
    strange = _report(engine, "--volume", f"{own}:{root}:ro")
    assert (strange["size_base"], strange["folder_bytes"]) == ("lengths", None)
    assert "belongs to another engine" in strange["not_from_disk"]
    # That folder itself may be mounted, so that sizes are those of the disk.
    real = _report(engine, "--volume", f"{root}:{root}:ro")
    assert real["size_base"] == "disk"
    assert real["folder_bytes"] > 100_000_000


def _report(engine: Engine, *options: str) -> Any:
    run = run_in_container(engine, "report", "--format", "json", options=options, check=True)
    return json.loads(run.stdout)


LOOKS = (
    without_a_volume_it_says_that_the_ledger_goes,
    a_user_of_the_group_of_the_socket_may,
    as_the_first_process_it_ends_when_it_is_told_to,
    folders_of_the_container_are_not_taken_for_the_engines,
)


@on_docker
def test_what_takes_less_than_to_load_the_image(engine: Engine) -> None:
    have_own_image(engine)
    for look in LOOKS:
        look(engine)
