"""Docker 29.7, which is in no release of Debian, by what it answered: both image stores, and an image of two platforms.

What is expected is written down from how the engine was littered, and from other answers than those under test.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from dockersweep.model.outcome import Reclaimed
from dockersweep.model.plan import Interval
from tests.rig.fake_engine import FakeEngine
from tests.rig.recorded import recorded_answers, recorded_engine
from tests.rig.running import dockersweep

OVERLAY, CONTAINERD, PLATFORMS = "docker-29.7", "docker-29.7-containerd", "docker-29.7-containerd-two-platforms"
LITTERED = (OVERLAY, CONTAINERD)
EVERYTHING = ("--all-images", "--named-volumes", "--older-than", "0s")
CAME_BACK = 10_049_205
"""What the engine's folder lost, in lengths, when the image of two platforms was removed."""


@pytest.fixture
def recorded(request: pytest.FixtureRequest) -> Iterator[FakeEngine]:
    with recorded_engine(request.param) as engine:
        yield engine


def on(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("recorded", "name"), [(name, name) for name in names], indirect=["recorded"], ids=names
    )


def told(engine: FakeEngine, *arguments: str) -> Any:
    run = dockersweep(*arguments, "--format", "json", "--no-ledger", host=engine.url)
    assert (run.status, run.beside_warnings) == (0, "")
    return run.json()


def intervals(document: Any) -> Iterator[tuple[int, int]]:
    """Every interval of a document that has an upper bound."""
    if isinstance(document, list):
        for one in document:
            yield from intervals(one)
    elif isinstance(document, dict):
        if document.get("high_bytes") is not None:
            yield document["low_bytes"], document["high_bytes"]
        yield from intervals(list(document.values()))


@on(*LITTERED, PLATFORMS)
def test_all_that_is_listed_is_read(recorded: FakeEngine, name: str) -> None:
    answers, seen = recorded_answers(name), told(recorded, "scan")
    engine = seen["engine"]
    assert (engine["version"], engine["api_version"], engine["flavour"]) == ("29.7.2", "1.51", "docker")
    assert engine["image_store"] == ("overlay2" if name == OVERLAY else "containerd")
    assert seen["warnings"] == []
    for kind, listed, key in (
        ("containers", answers["/containers/json?all=1"], "Id"),
        ("images", answers["/images/json?all=1&shared-size=1"], "Id"),
        ("volumes", answers["/volumes"]["Volumes"] or [], "Name"),
        ("networks", answers["/networks"], "Id"),
        ("build_cache", answers["/system/df?type=build-cache"]["BuildCache"] or [], "ID"),
    ):
        assert {one[key.lower()] for one in seen[kind]} == {one[key] for one in listed}
    assert seen["layers_bytes"] == answers["/system/df?type=image"]["LayersSize"]
    known = {one["in_registry"] for one in seen["images"]}
    assert known == {False if name == OVERLAY else None}


@on(*LITTERED)
def test_sizes_and_references_are_as_told(recorded: FakeEngine, name: str) -> None:
    answers, seen = recorded_answers(name), told(recorded, "scan")
    volumes = {one["Name"]: one["UsageData"]["Size"] for one in answers["/system/df?type=volume"]["Volumes"]}
    assert {one["name"]: one["size_bytes"] for one in seen["volumes"]} == volumes | {"tmpv": None}
    labelled = {one["Name"] for one in answers["/volumes"]["Volumes"] if one["Labels"]}
    assert {one["name"] for one in seen["volumes"] if one["anonymous"]} == labelled
    sizes = {one["Id"]: one.get("SizeRw", 0) for one in answers["/system/df?type=container"]["Containers"]}
    assert {one["id"]: one["size_bytes"] for one in seen["containers"]} == sizes
    records = answers["/system/df?type=build-cache"]["BuildCache"]
    parents = {one["ID"]: one.get(" Parents") or [] for one in records}
    assert any(parents.values())
    assert {one["id"]: one["parents"] for one in seen["build_cache"]} == parents
    mounted = {
        one["name"]: [mount["source"] for mount in one["mounts"] if mount["type"] == "image"]
        for one in seen["containers"]
    }
    assert mounted["created"] == ["spare:1"]
    folders = [mount["folder"] for one in seen["containers"] for mount in one["mounts"] if mount["type"] == "image"]
    sources = [
        mount["Source"]
        for one in answers["/containers/json?all=1"]
        for mount in one["Mounts"]
        if mount["Type"] == "image"
    ]
    assert folders == sources != []
    states = {one["name"]: (one["state"], one["finished_at"] is not None) for one in seen["containers"]}
    used = {} if name == OVERLAY else {"usesatt": ("created", False)}
    assert states == {"alive": ("running", False), "done": ("exited", True), "created": ("created", False)} | used


@on(*LITTERED)
def test_what_is_used_stays_and_the_rest_goes(recorded: FakeEngine, name: str) -> None:
    kinds = ("--kind", "image", "--kind", "volume", "--kind", "network")
    plan = told(recorded, "plan", *EVERYTHING, *kinds)
    going = {one["name"] for one in plan["decisions"] if one["verdict"] == "remove"}
    (unmounted,) = {one["name"] for one in told(recorded, "scan")["volumes"] if one["anonymous"]} - {
        mount["volume"] for one in told(recorded, "scan")["containers"] for mount in one["mounts"]
    }
    assert going == {"legacy:1", "again:1", unmounted, "named", "lonely"}
    said = dockersweep("explain", "image:spare:1", host=recorded.url)
    assert said.status == 0
    assert "created" in said.stdout


@on(*LITTERED, PLATFORMS)
def test_no_interval_is_the_wrong_way_round(recorded: FakeEngine, name: str) -> None:
    found = [
        pair
        for arguments in (("plan", *EVERYTHING), ("plan",), ("report",))
        for pair in intervals(told(recorded, *arguments))
    ]
    assert found
    assert all(0 <= low <= high for low, high in found)


@on(PLATFORMS)
def test_an_image_of_two_platforms(recorded: FakeEngine, name: str) -> None:
    plan = told(recorded, "plan", *EVERYTHING)
    (removal,) = plan["removals"]
    for interval in (plan["reclaim"], removal["reclaim"], removal["reclaim_alone"]):
        assert interval["low_bytes"] <= CAME_BACK <= interval["high_bytes"]
    # The layers that are unpacked are its own for sure.
    assert plan["reclaim"]["low_bytes"] >= 3_031_040
    assert "platforms:1" in dockersweep("explain", "image:platforms:1", host=recorded.url).stdout


@on(CONTAINERD)
def test_of_one_platform_what_is_shared_is_believed(recorded: FakeEngine, name: str) -> None:
    shared = {one["Id"]: one["SharedSize"] for one in recorded_answers(name)["/images/json?all=1&shared-size=1"]}
    assert {one["id"]: one["shared_bytes"] for one in told(recorded, "scan")["images"]} == shared


def test_bounds_are_in_order_however_they_are_made() -> None:
    made = Interval(low_bytes=2, high_bytes=1, reason="told twice")
    assert (made.low_bytes, made.high_bytes, made.reason) == (1, 2, "told twice")
    read = msgspec.json.decode(b'{"low_bytes": 9, "high_bytes": 3}', type=Interval)
    assert read == Interval(low_bytes=3, high_bytes=9)
    assert Interval(low_bytes=5, high_bytes=None).low_bytes == 5
    freed = Reclaimed(low_bytes=7, high_bytes=4, measured_bytes=None)
    assert (freed.low_bytes, freed.high_bytes) == (4, 7)
