"""Whom a volume of 64 hex digits belongs to: only the engine's label tells, where the engine has one."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dockersweep.engine.api.translate import volume_from_list
from dockersweep.engine.api.wire import WireVolume
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.running import Run, dockersweep

IN_A_MONTH = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
NAMED = hashlib.sha256(b"the volume of somebody's program").hexdigest()
LABEL = "com.docker.volume.anonymous"
TOLD = "DS019: 1 unused volume looks anonymous but is not marked so, and kept; `dockersweep report` shows the rule"


def volumes(engine: Engine) -> dict[str, Any]:
    return {one["Name"]: one for one in engine.wire.call("GET", "/volumes")["Volumes"] or ()}


def sweep(engine: Engine, *flags: str) -> Run:
    # What was never seen is not old, whatever the date of its creation.
    assert dockersweep("scan", host=engine.url).status == 0
    run = dockersweep("sweep", "--yes", *flags, host=engine.url, DOCKERSWEEP_NOW=IN_A_MONTH)
    assert run.status == 0, run.stderr
    return run


@pytest.mark.parametrize("labels", [{}, {"backup": "daily"}])
def test_what_somebody_named_with_64_hex_digits_stays_where_engines_mark_theirs(
    engine: Engine, litter: Litter, labels: dict[str, str]
) -> None:
    litter.volume(NAMED, size=1000, labels=labels)
    anonymous, other = litter.anonymous_volume(1000), litter.volume("data", size=1000)
    run = sweep(engine)
    marks = engine.kind.marks_anonymous_volumes
    left = volumes(engine)
    assert set(left) == ({NAMED, other} if marks else {other})
    assert anonymous not in left
    assert (TOLD in run.stdout) == marks
    if marks:
        assert Path(left[NAMED]["Mountpoint"], "litter.bin").stat().st_size == 1000


@pytest.mark.on_engines("docker-26.1", "docker-28.5", "docker-28.5-containerd")
def test_what_the_engine_left_without_a_label_is_told_with_the_rule_that_removes_it(
    engine: Engine, litter: Litter, tmp_path: Path
) -> None:
    made = litter.container(state="created", anonymous_volumes=["/a"])
    litter.base()
    engine.docker("create", "--name", "mounts", "--mount", "type=volume,target=/x", "busybox:latest", "true")
    engine.docker("rm", "mounts", made)
    labels = {name: one["Labels"] or {} for name, one in volumes(engine).items()}
    assert len(labels) == 2
    unmarked = {name for name, seen in labels.items() if LABEL not in seen}
    assert len(unmarked) == (engine.kind.version == "26.1")
    run = sweep(engine)
    assert set(volumes(engine)) == unmarked
    assert (TOLD in run.stdout) == bool(unmarked)
    litter.volume(NAMED)
    seen = dockersweep("report", "--format", "json", host=engine.url).json()
    [finding] = [one for one in seen["findings"] if one["id"] == "DS019"]
    assert finding["objects"] == len(unmarked) + 1
    policy = tmp_path / "dockersweep.toml"
    policy.write_text(f"version = 1\n{finding['fix']['rule']}")
    litter.volume("data")
    run = sweep(engine, "--policy", str(policy), "--older-than", "0s")
    assert set(volumes(engine)) == {"data"}
    assert "DS019" not in run.stdout


@pytest.mark.parametrize(
    ("name", "labels", "marks", "anonymous"),
    [
        (NAMED, {}, True, False),
        (NAMED, {}, False, True),
        (NAMED, {LABEL: ""}, True, True),
        ("data", {LABEL: ""}, True, True),
        ("data", {}, False, False),
        (NAMED.upper(), {}, False, False),
        (f"{NAMED}\n", {}, False, False),
        (NAMED[:63], {}, False, False),
    ],
)
def test_the_label_counts_and_the_name_only_where_there_are_no_labels(
    name: str, labels: dict[str, str], marks: bool, anonymous: bool
) -> None:
    seen = WireVolume(name=name, driver="local", labels=labels)
    assert volume_from_list(seen, free_by_engine=True, marks_anonymous=marks).anonymous == anonymous
