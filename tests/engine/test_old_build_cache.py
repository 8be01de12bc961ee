"""The build cache of Docker before 23.0, which only /system/df as a whole tells: where that fails, a run that would
remove of it ends with 5, as it does on newer engines, and removes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.engines.litter import Litter
from tests.rig.fake_containers import with_containers
from tests.rig.fake_engine import FakeEngine, fake_engine, reply, stall
from tests.rig.faults import READING_FAULTS
from tests.rig.faulty_proxy import Strike, faulty
from tests.rig.running import Run, dockersweep

NOW = ("--no-ledger", "--older-than", "0s")


@pytest.fixture
def old_engine() -> Iterator[FakeEngine]:
    """Docker 20.10 with a container to remove, whose disk cannot be walked."""
    version = reply({"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"})
    with fake_engine(version=version) as engine:
        with_containers(engine, "a")
        engine.replies["/containers/a"] = (204, b"")
        engine.replies["/system/df"] = reply({"message": "no disk"}, 500)
        yield engine


def deletes(engine: FakeEngine) -> list[str]:
    return [path for method, path in engine.asked if method == "DELETE"]


def is_refused(run: Run, why: str) -> bool:
    (line,) = run.stderr.splitlines()
    assert "the build cache cannot be read" in line
    assert why in line
    return (run.status, run.stdout) == (5, "")


@pytest.mark.parametrize("verb", [("plan",), ("sweep", "--yes"), ("sweep", "--dry-run")])
def test_where_it_fails_nothing_is_removed(old_engine: FakeEngine, verb: tuple[str, ...]) -> None:
    assert is_refused(dockersweep(*verb, *NOW, host=old_engine.url), "with 500: no disk")
    assert deletes(old_engine) == []


def test_where_it_takes_too_long_as_well(old_engine: FakeEngine) -> None:
    old_engine.replies["/system/df"] = stall
    run = dockersweep("sweep", "--yes", *NOW, "--size-timeout", "1s", "--quiet", host=old_engine.url)
    assert is_refused(run, "within 1 seconds")
    assert deletes(old_engine) == []


@pytest.mark.parametrize("flags", [("--no-sizes",), ("--kind", "container"), ("--policy", "POLICY")])
def test_where_nothing_of_it_may_go_the_rest_goes(
    old_engine: FakeEngine, flags: tuple[str, ...], tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'version = 1\n[[rule]]\nname = "c"\nkind = "container"\nremove.older_than = "1h"\n'
        '[[rule]]\nname = "b"\nkind = "build-cache"\nkeep.last = 3\n'
    )
    given = [str(policy) if one == "POLICY" else one for one in flags]
    ages = NOW[:1] if "--policy" in flags else NOW
    run = dockersweep("sweep", "--yes", *ages, *given, host=old_engine.url)
    assert (run.status, run.beside_warnings) == (0, "")
    assert deletes(old_engine) == ["/containers/a"]
    assert dockersweep("scan", "--no-ledger", host=old_engine.url).status == 0


def test_a_saved_plan_that_removes_of_it(old_engine: FakeEngine, tmp_path: Path) -> None:
    record = {"ID": "r", "Type": "regular", "Size": 5, "LastUsedAt": "2026-01-01T00:00:00Z"}
    plans = {}
    for name, flags in {"both": (), "container": ("--kind", "container")}.items():
        old_engine.replies["/system/df"] = reply({"BuildCache": [record], "Volumes": [], "Containers": []})
        plans[name] = str(tmp_path / name)
        assert dockersweep("plan", *NOW, *flags, "--format", "json", "-o", plans[name], host=old_engine.url).status == 0
    old_engine.replies["/system/df"] = reply({"message": "no disk"}, 500)
    assert is_refused(dockersweep("apply", plans["both"], "--no-ledger", host=old_engine.url), "no disk")
    assert deletes(old_engine) == []
    assert dockersweep("apply", plans["container"], "--no-ledger", host=old_engine.url).status == 0
    assert deletes(old_engine) == ["/containers/a"]


@pytest.mark.on_engines("docker-20.10", "docker-28.5")
def test_on_real_engines(litter: Litter) -> None:
    """Newer engines tell the build cache by itself; there only its own part is struck."""
    litter.container("done")
    fault = next(one for one in READING_FAULTS if one.name == "500 JSON")
    with faulty(litter.engine.recorder.path) as proxy:
        proxy.begin(Strike(fault, "GET", "/system/df", r'\{"type": "build-cache"\}|\{\}'))
        run = dockersweep("sweep", "--yes", "--yes-first-time", *NOW, host=proxy.url)
    assert (run.status, run.stdout, len(run.stderr.splitlines())) == (5, "", 1)
    assert [one["Names"] for one in litter.engine.api.containers(all=True)] == [["/done"]]
    assert dockersweep("sweep", "--yes", *NOW, host=litter.engine.url).status == 0
    assert litter.engine.api.containers(all=True) == []
