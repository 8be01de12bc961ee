"""The main job on every engine: see the litter, plan, remove just that, and be done."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.heap import Everything, everything
from tests.rig.engines.kinds import EACH_STORE, OLDEST_AND_NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.engines.shared import Filled
from tests.rig.recorder import Recording, Request
from tests.rig.running import dockersweep
from tests.rig.traffic import names_of

ALL = ("--older-than", "0s")
# A scan asks for these lists and nothing else, however much there is: beside the engine its files tell the rest.
LISTS = {
    ("/_ping", ""), ("/version", ""), ("/info", ""), ("/containers/json", ""), ("/images/json", ""), ("/volumes", ""),
    ("/volumes", "filters"), ("/networks", ""), ("/system/df", ""), ("/events", ""),
}  # fmt: skip
LISTS_OF_PODMAN = LISTS - {("/version", ""), ("/containers/json", ""), ("/system/df", "")}
LISTS_OF_PODMAN |= {("/libpod/containers/json", "")}
"""A ping tells its version, its own list and its database what is asked of docker, and no size is not measured here."""


def decisions(plan: Any) -> dict[tuple[str, str], Any]:
    return {(one["kind"], one["id"]): one for one in plan["decisions"]}


def removed_ids(plan: Any, kind: str) -> set[str]:
    return {one["id"] for one in plan["removals"] if one["kind"] == kind and one["action"] == "remove"}


def expected(heap: Everything) -> dict[str, set[str]]:
    """What the default policy names of a litter of everything, ages aside."""
    return {
        "container": {heap.stopped_container, heap.created_container},
        "image": {heap.dangling_image},
        "volume": {heap.anonymous_volume},
        "network": {heap.unused_network, heap.stopped_network},
        "build-cache": set(heap.cache),
    }


def what_was_asked_to_go(recorder: Recording) -> set[tuple[str, str]]:
    """The kind of everything that a request asked to remove, and what it was asked for by."""
    asked = {
        (request.path.split("/")[1].rstrip("s"), request.path.split("/", 2)[2]) for request in recorder.of("DELETE")
    }
    for request in recorder.of("POST"):
        assert request.path == "/build/prune"
        pattern = json.loads(request.params["filters"])["id"][0]
        assert pattern.startswith("^(")
        assert pattern.endswith(")$")
        asked |= {("build-cache", record) for record in pattern[2:-2].split("|")}
    return asked


def listing(engine: Engine) -> dict[str, set[str]]:
    """What docker's own client lists."""
    return {
        "container": set(engine.docker("ps", "-aq", "--no-trunc").stdout.split()),
        "image": set(engine.docker("images", "-aq", "--no-trunc").stdout.split()),
        "volume": set(engine.docker("volume", "ls", "-q").stdout.split()),
        "network": set(engine.docker("network", "ls", "-q", "--no-trunc").stdout.split()),
    }


def test_a_sweep_removes_just_what_the_plan_names_and_a_second_finds_nothing(engine: Engine, litter: Litter) -> None:
    heap = everything(litter)
    before = listing(engine)
    with engine.recorder.recording() as recorder:
        planned = dockersweep("plan", "--format", "json", *ALL, host=recorder.url)
        assert planned.status == 0, planned.stderr
        assert recorder.of("POST", "DELETE", "PUT") == []
        plan = planned.json()
        assert {kind: removed_ids(plan, kind) for kind in expected(heap)} == expected(heap)
        swept = dockersweep("sweep", "--yes", "--format", "json", *ALL, host=recorder.url)
        assert swept.status == 0, swept.stderr
        asked = what_was_asked_to_go(recorder)
        assert len(asked) == len(plan["removals"])
        assert all(asked & names_of(one) for one in plan["removals"])
        assert all(request.params.get("force", "0") == "0" for request in recorder.of("DELETE"))
        assert all(request.params.get("v", "0") == "0" for request in recorder.of("DELETE"))
    outcomes = swept.json()["outcomes"]
    assert [one["status"] for one in outcomes] == ["removed"] * len(plan["removals"])
    after = listing(engine)
    for kind, gone in expected(heap).items():
        if kind != "build-cache":
            assert before[kind] - after[kind] == gone
    again = dockersweep("sweep", "--yes", "--format", "json", *ALL, host=engine.url)
    assert again.status == 0
    assert again.json()["outcomes"] == []


@pytest.mark.enough_on(*OLDEST_AND_NEWEST)
def test_all_images_and_named_volumes_go_when_asked_for(engine: Engine, litter: Litter) -> None:
    heap = everything(litter)
    litter.image("many:1", layers={"many": 10_000}, tags=["many:2", "other:1"])
    flags = ("--all-images", "--named-volumes", *ALL)
    with engine.recorder.recording() as recorder:
        plan = dockersweep("plan", "--format", "json", *flags, host=engine.url).json()
        untags = [one["name"] for one in plan["removals"] if one["action"] == "untag"]
        assert len(untags) == 2
        run = dockersweep("sweep", "--yes", "--format", "json", *flags, host=recorder.url)
        assert run.status == 0, run.stderr
        tagged = {unquote(request.path) for request in recorder.of("DELETE") if "many:" in request.path}
    left = {tag for one in engine.wire.images() for tag in one.get("RepoTags") or ()}
    assert not any("many" in tag or "other" in tag or "job" in tag for tag in left), left
    assert any(tag.endswith("shop/web:2") for tag in left)
    assert tagged <= {f"/images/{name}{suffix}" for name in untags for suffix in ("", *_digests(plan))}
    volumes = {one["Name"] for one in engine.wire.call("GET", "/volumes")["Volumes"]}
    assert {heap.used_volume, heap.used_anonymous_volume, heap.option_volume} == volumes
    assert {one["status"] for one in run.json()["outcomes"]} == {"removed"}


def _digests(plan: Any) -> list[str]:
    return [f"@{one['id']}" for one in plan["removals"] if one["action"] == "untag"]


def test_reasons_name_what_holds(filled: Filled) -> None:
    engine, heap = filled.engine, filled.heap
    plan = decisions(dockersweep("plan", "--format", "json", "--all-images", *ALL, host=engine.url).json())

    def why(kind: str, object_id: str) -> str:
        return "; ".join(reason["text"] for reason in plan[kind, object_id]["reasons"])

    assert why("container", heap.running_container) == "it is running"
    assert "used by container shop-web-1 (running)" in why("image", heap.used_image)
    assert "which goes too" in why("image", heap.stopped_image)
    assert "used by container shop-web-1 (running)" in why("volume", heap.used_volume)
    assert "used by container shop-web-1 (running)" in why("volume", heap.used_anonymous_volume)
    assert "add --named-volumes" in why("volume", heap.unused_volume)
    assert "used by container shop-web-1 (running)" in why("network", heap.used_network)
    assert "shop-job-1 (exited" in why("network", heap.stopped_network)
    assert plan["container", heap.stopped_container]["age_source"] == "finished"
    assert plan["container", heap.created_container]["age_source"] == "created"


def test_by_default_nothing_young_goes_and_a_month_later_it_does(filled: Filled) -> None:
    engine, heap = filled.engine, filled.heap
    young = dockersweep("plan", "--format", "json", host=engine.url).json()
    assert young["removals"] == []
    later = dockersweep("plan", "--format", "json", host=engine.url, DOCKERSWEEP_NOW="2099-01-01T00:00:00Z").json()
    assert {kind: removed_ids(later, kind) for kind in expected(heap)} == expected(heap)
    # Its coming was an event.
    assert decisions(later)["image", heap.dangling_image]["age_source"] == "last used"


def test_a_saved_inventory_gives_what_the_engine_gave(filled: Filled, tmp_path: Path) -> None:
    engine = filled.engine
    file = tmp_path / "inventory.json"
    assert dockersweep("scan", "--format", "json", "-o", str(file), host=engine.url).status == 0
    taken = json.loads(file.read_text())["taken_at"]
    for arguments in (["scan", "--all"], ["plan", "--verbose", *ALL, "--all-images"]):
        live = dockersweep(*arguments, host=engine.url, DOCKERSWEEP_NOW=taken)
        saved = dockersweep(*arguments, "--inventory", str(file), DOCKERSWEEP_NOW=taken)
        assert (live.status, saved.status) == (0, 0), live.stderr + saved.stderr
        # Only the moment of the scan differs, and the ages that the ledger counted from it; and nobody looks here.
        told = [line for line in live.stdout.splitlines() if not line.startswith("Warning: sweep: with --yes it would")]
        assert told[2:] == saved.stdout.splitlines()[2:]
    twice = dockersweep("scan", "--format", "json", "--inventory", str(file))
    assert twice.stdout == file.read_text()


def test_a_scan_beside_the_engine_asks_for_its_lists_whatever_there_is(filled: Filled) -> None:
    asked = _calls(filled.engine)
    lists = LISTS_OF_PODMAN if filled.engine.kind.flavour == "podman" else LISTS
    assert {(one.path, "filters" if "filters" in one.params else "") for one in asked} == lists
    assert len(asked) <= 12


@pytest.mark.enough_on(*EACH_STORE)
def test_a_scan_beside_the_engine_makes_a_constant_number_of_calls(engine: Engine, litter: Litter) -> None:
    few = _calls(engine)
    for number in range(5):
        litter.volume(f"more-{number}")
        litter.container(f"more-{number}", state="created")
    assert len(_calls(engine)) == len(few)


def _calls(engine: Engine) -> list[Request]:
    with engine.recorder.recording() as recorder:
        assert dockersweep("scan", "--format", "json", host=recorder.url).status == 0
    assert {request.method for request in recorder.requests} == {"GET"}
    return recorder.requests


def test_without_sizes_nothing_walks_the_disk(filled: Filled) -> None:
    engine = filled.engine
    with engine.recorder.recording() as recorder:
        run = dockersweep("scan", "--format", "json", "--no-sizes", host=recorder.url)
    asked = [request.params for request in recorder.requests if request.path == "/system/df"]
    assert asked in ([], [{"type": "build-cache"}])
    seen = run.json()
    assert {one["size_bytes"] for one in seen["volumes"] + seen["containers"]} == {None}
    if engine.kind.name == "docker-20.10":
        assert seen["build_cache"] is None
        assert [one["about"] for one in seen["warnings"]] == ["build cache"]
    else:
        assert seen["warnings"] == []


def test_what_an_inventory_says_is_what_the_engine_says(filled: Filled) -> None:
    engine, heap = filled.engine, filled.heap
    seen = dockersweep("scan", "--format", "json", host=engine.url).json()
    assert seen["engine"]["image_store"] == ("overlay" if engine.kind.flavour == "podman" else engine.kind.image_store)
    assert seen["engine"]["api_version"] == engine.kind.api_version
    containers = {one["id"]: one for one in seen["containers"]}
    assert containers[heap.stopped_container]["exit_code"] == 3
    assert containers[heap.stopped_container]["finished_at"] is not None
    assert 2_000_000 <= containers[heap.stopped_container]["size_bytes"] < 2_200_000
    assert containers[heap.created_container]["started_at"] is None
    assert containers[heap.running_container]["project"] == "shop"
    volumes = {one["name"]: one for one in seen["volumes"]}
    assert volumes[heap.unused_volume]["size_bytes"] == 4_000_000
    assert volumes[heap.anonymous_volume]["anonymous"]
    assert not volumes[heap.unused_volume]["anonymous"]
    assert volumes[heap.option_volume]["options"] != {}
    assert {one["id"] for one in seen["build_cache"]} == set(heap.cache)
    tagged = {tag for one in seen["images"] for tag in one["tags"]}
    assert any(tag.endswith("shop/web:1") for tag in tagged)
    parents = {one["id"] for one in seen["images"]} & set(heap.intermediate_images)
    assert parents == set(heap.intermediate_images)


def test_one_kind_alone(filled: Filled, tmp_path: Path) -> None:
    engine = filled.engine
    file = str(tmp_path / "inventory.json")
    assert dockersweep("scan", "--format", "json", "-o", file, host=engine.url).status == 0
    for kind in ("container", "image", "volume", "network", "build-cache"):
        plan = dockersweep("plan", "--format", "json", "--kind", kind, *ALL, "--inventory", file).json()
        assert {one["kind"] for one in plan["removals"]} == ({kind} if kind in _kinds_of(engine) else set())


def _kinds_of(engine: Engine) -> set[str]:
    # What stopped containers hold stays as long as they do, so each kind has something of its own to lose.
    return {"container", "image", "volume", "network"} | ({"build-cache"} if engine.kind.has_build_cache else set())
