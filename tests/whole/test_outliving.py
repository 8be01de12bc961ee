"""An anonymous volume outlives the container that goes: its time starts with that removal, which the next run knows."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.running import Run, dockersweep

POLICY = """
version = 1
[[rule]]
name = "containers"
kind = "container"
match.state = "exited"
remove.older_than = "1s"

[[rule]]
name = "outlives"
kind = "volume"
match.name = "outlives-*"
remove.older_than = "6s"
remove.after_container = true

[[rule]]
name = "goes along"
kind = ["volume", "network"]
match.name = "along-*"
remove.older_than = "1s"
"""


def sweep(engine: Engine, policy: Path) -> Run:
    run = dockersweep("sweep", "--yes", "--policy", str(policy), "--format", "json", host=engine.url)
    assert run.status == 0, run.stderr
    return run


def removed(run: Run) -> set[tuple[str, str]]:
    return {(one["kind"], one["name"]) for one in run.json()["outcomes"] if one["status"] == "removed"}


def explanation(engine: Engine, policy: Path, name: str) -> Any:
    run = dockersweep("explain", name, "--policy", str(policy), "--format", "json", host=engine.url)
    assert run.status == 0, run.stderr
    return run.json()


@pytest.mark.enough_on(*NEWEST)
def test_its_time_starts_with_the_removal_without_a_scan_in_between(
    engine: Engine, litter: Litter, tmp_path: Path
) -> None:
    policy = tmp_path / "dockersweep.toml"
    policy.write_text(POLICY)
    litter.network("along-net")
    volumes = {"/a": "outlives-data", "/b": "along-data"}
    made = litter.container("db", volumes={name: path for path, name in volumes.items()}, networks=["along-net"])
    litter.wait(made)
    # Seen in use: without the removal that the ledger knows, it would be unused only since the next scan.
    assert dockersweep("scan", host=engine.url).status == 0
    time.sleep(2)
    waits = explanation(engine, policy, "volume:outlives-data")
    assert waits["decision"]["reasons"][0]["about"]["what"] == "after-container"
    assert waits["forecast"]["when"] == "later"
    first = sweep(engine, policy)
    assert removed(first) == {("container", "db"), ("volume", "along-data"), ("network", "along-net")}
    gone_at = time.monotonic()
    assert removed(sweep(engine, policy)) == set()
    time.sleep(max(0, gone_at + 7.5 - time.monotonic()))
    assert removed(sweep(engine, policy)) == {("volume", "outlives-data")}
