"""A volume of a driver that several hosts share is the same data on each: none removes it while another keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rig.fake_containers import details, stopped
from tests.rig.fake_engine import FakeEngine, Handler, Reply, fake_engine, reply
from tests.rig.policies import VERSION, rule_text
from tests.rig.running import dockersweep

POLICY = VERSION + rule_text("volumes", "volume", "everything = true", 'remove.older_than = "1d"')
ALL = ("--older-than", "0s", "--no-ledger")
SWEEP = ("sweep", "--yes", "--yes-first-time", *ALL, "--format", "json")


def named(name: str, driver: str) -> dict[str, Any]:
    return {
        "Name": name, "Driver": driver, "Mountpoint": f"/mnt/{name}", "Labels": {}, "Options": {}, "Scope": "global",
        "CreatedAt": "2026-01-01T00:00:00Z",
    }  # fmt: skip


def with_volumes(engine: FakeEngine, number: int, *volumes: dict[str, Any]) -> None:
    """Give an engine volumes, an identity of its own, and the memory of what was removed."""
    info = json.loads(engine.replies["/info"][1]) if "/info" in engine.replies else {}  # type: ignore[index]
    engine.replies["/info"] = reply(
        {"ID": f"FAKE-{number}", "Name": f"box{number}", "Driver": "overlay2", "DockerRootDir": "/d",
         "SystemTime": "2026-11-24T12:00:00Z", **info}
    )  # fmt: skip
    there = {volume["Name"]: volume for volume in volumes}
    engine.replies["/volumes"] = lambda handler: reply({"Volumes": list(there.values())})

    def one(name: str) -> None:
        def serve(handler: Handler) -> Reply:
            if handler.command == "DELETE":
                there.pop(name, None)
                return 204, b""
            return reply(there[name]) if name in there else reply({"message": "no such volume"}, 404)

        engine.replies[f"/volumes/{name}"] = serve

    for name in there:
        one(name)


def with_user(engine: FakeEngine, volume: str) -> None:
    """Let a stopped container mount a volume."""
    mount = {"Type": "volume", "Name": volume, "Source": "", "Destination": "/data", "Driver": "nas", "RW": True}
    engine.replies["/containers/json"] = reply([{**stopped("user"), "Mounts": [mount]}])
    engine.replies["/containers/user/json"] = reply({**details("user"), "Mounts": [mount]})


def removed(engine: FakeEngine) -> list[str]:
    return [path for method, path in engine.asked if method == "DELETE"]


@pytest.fixture(autouse=True)
def _policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "dockersweep.toml"
    policy.write_text(POLICY)
    policy.chmod(0o644)
    monkeypatch.setenv("DOCKERSWEEP_POLICY", str(policy))


@pytest.fixture
def two() -> Iterator[tuple[FakeEngine, FakeEngine]]:
    with fake_engine() as one, fake_engine() as other:
        with_volumes(one, 1, named("data", "nas"), named("scratch", "local"), named("own", "nas"))
        with_volumes(other, 2, named("data", "nas"), named("scratch", "local"))
        yield one, other


def flags(*engines: FakeEngine) -> list[str]:
    return [word for engine in engines for word in ("-H", engine.url)]


def test_what_another_host_uses_stays(two: tuple[FakeEngine, FakeEngine]) -> None:
    one, other = two
    with_user(other, "data")
    plan = dockersweep(*flags(*two), "plan", *ALL)
    assert f"{one.url}: volume data stays: {other.url} has it too, and keeps it." in " ".join(plan.stdout.split())
    run = dockersweep(*flags(*two), *SWEEP)
    assert run.status == 0, run.stderr
    # What is local is another volume on each host; what no other host has is nobody else's.
    assert sorted(removed(one)) == ["/volumes/own", "/volumes/scratch"]
    assert removed(other) == ["/volumes/scratch"]


def test_what_all_would_remove_goes(two: tuple[FakeEngine, FakeEngine]) -> None:
    one, other = two
    assert dockersweep(*flags(*two), *SWEEP).status == 0
    assert "/volumes/data" in removed(one)
    assert "/volumes/data" in removed(other)


def test_what_a_host_that_is_not_reached_may_use_stays(two: tuple[FakeEngine, FakeEngine]) -> None:
    one, other = two
    run = dockersweep(*flags(*two), "-H", "unix:///none.sock", *SWEEP)
    assert run.status == 5
    assert removed(one) == removed(other) == ["/volumes/scratch"]
    notes = run.json()["hosts"][0]["notes"]
    assert notes == [
        "volume data stays: unix:///none.sock did not tell whether it uses it",
        "volume own stays: unix:///none.sock did not tell whether it uses it",
    ]


def test_alone_a_host_is_swept_as_ever(two: tuple[FakeEngine, FakeEngine]) -> None:
    one, other = two
    with_user(other, "data")
    assert dockersweep(*SWEEP, host=one.url).status == 0
    assert "/volumes/data" in removed(one)


def test_a_volume_that_is_not_listed_and_mounted_all_the_same_is_kept(two: tuple[FakeEngine, FakeEngine]) -> None:
    one, other = two
    with_user(other, "data")
    # As Docker answers while the plugin of the driver is down.
    other.replies["/volumes"] = reply({"Volumes": [], "Warnings": ["plugin nas is not enabled"]})
    assert dockersweep(*flags(*two), *SWEEP).status == 0
    assert "/volumes/data" not in removed(one)
    other.replies["/volumes"] = reply({"Volumes": []})
    assert dockersweep(*flags(*two), *SWEEP).status == 0
    assert "/volumes/data" not in removed(one)


def test_what_a_host_over_its_limits_would_remove_stays_everywhere(
    two: tuple[FakeEngine, FakeEngine], tmp_path: Path
) -> None:
    one, other = two
    strict = tmp_path / "strict.toml"
    strict.write_text(POLICY + "\n[limits]\nobjects = 0\n")
    strict.chmod(0o644)
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(
        f'version = 1\n[[host]]\nname = "one"\nhost = "{one.url}"\n'
        f'[[host]]\nname = "other"\nhost = "{other.url}"\npolicy = "strict.toml"\n'
    )
    fleet.chmod(0o644)
    run = dockersweep("--fleet", str(fleet), *SWEEP)
    assert run.status == 4
    assert removed(one) == ["/volumes/scratch"]
    assert not removed(other)


def test_what_is_in_use_since_the_plan_stays(two: tuple[FakeEngine, FakeEngine], tmp_path: Path) -> None:
    one, other = two
    file = str(tmp_path / "plan.json")
    assert dockersweep(*flags(*two), "plan", *ALL, "-o", file).status == 0
    with_user(other, "data")
    run = dockersweep("apply", file, "--yes", "--yes-first-time", "--no-ledger", "--format", "json")
    assert run.status == 0, run.stderr
    assert sorted(removed(one)) == ["/volumes/own", "/volumes/scratch"]
    assert f"volume data stays: {other.url} uses it by now" in run.json()["hosts"][0]["notes"]
