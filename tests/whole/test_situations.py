"""The ten situations of dockersweep.toml(5): each policy says what it should on every engine."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.engines.scenarios_registry import registry
from tests.rig.engines.village import ALSO_DEPLOYED, RELEASES, village
from tests.rig.running import dockersweep

SITUATIONS = Path(__file__).parents[1] / "situations"
STOPPED = {"job-1", "review-web", "shop-web", "temporary"}
NETWORKS = {"review_net", "lonely", "tmp_net"}
FREED = {"ci/job:1", "review/web:1", "shop/web:1", "ci/tmp:1"}
"""Images that only the stopped containers hold."""
LYING = {"debian:12", "registry.example.com/base/os:1", "scratch/img:1"}
PULLED = {"mirror/tool:1.0.0", "mirror/tool:1.1.0", "mirror/tool:1.2.0"}
ALL_RELEASES = {*RELEASES[1:], ALSO_DEPLOYED}
"""By the name that an image is known by: the oldest has another tag."""
DANGLING = {"dangling"}
ANONYMOUS = {"anonymous"}
CACHE = {"cache"}

Gone = dict[str, set[str]]


def expected(is_told: bool, sources: set[str]) -> dict[str, tuple[Gone, set[str]]]:
    """What each policy removes by kind, and which tags it takes off.

    `is_told` is whether anything tells which images a registry has: where nothing does, rules for those that it has
    and rules for those that it has not remove none.
    """
    recoverable = PULLED if is_told else set()
    own, own_tags = ({*RELEASES}, {RELEASES[0]}) if is_told else (set[str](), set[str]())
    everything = LYING | PULLED | ALL_RELEASES | DANGLING
    return {
        "ci-runner": (
            {
                "container": STOPPED,
                "image": (everything | FREED) - {"debian:12", "registry.example.com/base/os:1"},
                "volume": ANONYMOUS | {"runner-1-cache-x"},
                "network": NETWORKS,
                "build-cache": CACHE,
            },
            set(),
        ),
        "laptop": (
            {
                "container": STOPPED,
                "image": DANGLING | recoverable | (own & {*RELEASES[1:6]}),
                "volume": ANONYMOUS,
                "network": NETWORKS,
                "build-cache": CACHE,
            },
            own_tags,
        ),
        "staging": (
            {
                "container": {"review-web"},
                "image": DANGLING | {"review/web:1"} | {*RELEASES[1:5]},
                "volume": {"review-data"},
                "network": {"review_net"},
                "build-cache": CACHE,
            },
            {RELEASES[0]},
        ),
        "releases": ({"container": STOPPED, "image": {*RELEASES[1:3]}}, {RELEASES[0]}),
        "free-20gb": ({"image": everything, "build-cache": CACHE}, set()),
        "no-volumes": (
            {"container": STOPPED, "image": everything | FREED, "network": NETWORKS, "build-cache": CACHE},
            set(),
        ),
        "labelled-only": (
            {
                "container": {"temporary"},
                "image": {"scratch/img:1"},
                "volume": {"tmp-vol"},
                "network": {"tmp_net"},
            },
            set(),
        ),
        "registry-mirror": ({"image": DANGLING | {*RELEASES[1:5]}}, {RELEASES[0]}),
        "offline": (
            {"container": STOPPED, "image": recoverable, "network": NETWORKS, "build-cache": sources},
            set(),
        ),
        "prune-all-safely": (
            {
                "container": STOPPED,
                "image": DANGLING | recoverable | (own & {*RELEASES[1:7]}),
                "network": NETWORKS,
                "build-cache": CACHE,
            },
            own_tags,
        ),
    }


def gone(plan: Any) -> tuple[Gone, set[str]]:
    """What a plan removes by kind, as people know it, and the tags that it takes off what stays."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    tags = set()
    for one in plan["decisions"]:
        tags |= {short(tag) for tag in one.get("untag", ())}
        if one["verdict"] == "remove":
            found[one["kind"]].add(known_as(one))
    return dict(found), tags


def short(name: str) -> str:
    return name.removeprefix("localhost/").partition("@")[0]


def known_as(decision: Any) -> str:
    name = str(decision["name"])
    if decision["kind"] == "build-cache":
        return "cache"
    if decision["kind"] == "volume" and len(name) == 64:
        return "anonymous"
    if decision["kind"] == "image":
        if ":" not in name.rpartition("/")[2]:
            return "dangling"
        return f"mirror/{name.partition('/mirror/')[2]}" if "/mirror/" in name else short(name)
    return name


@pytest.fixture
def seen(engine: Engine, litter: Litter, tmp_path: Path) -> Path:
    """A saved scan of the village, forty days later by its ages."""
    with registry(engine) as source:
        village(litter, source)
    file = tmp_path / "scan.json"
    assert dockersweep("scan", "--format", "json", "-o", str(file), host=engine.url).status == 0
    return file


LATER = (datetime.now(UTC) + timedelta(days=40)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.enough_on("docker-28.5-containerd")
def test_the_ten_policies_say_what_they_should(engine: Engine, seen: Path) -> None:
    inventory = json.loads(seen.read_text())
    is_told = engine.kind.flavour == "docker"
    records = inventory["build_cache"] or []
    sources = CACHE if any(one["type"] == "source.local" for one in records) else set()
    for name, (removed, tags) in expected(is_told, sources).items():
        run = dockersweep(
            "plan", "--policy", str(SITUATIONS / f"{name}.toml"), "--inventory", str(seen), "--format", "json",
            DOCKERSWEEP_NOW=LATER,
        )  # fmt: skip
        assert run.status == 0, run.stderr
        wanted = {kind: names for kind, names in removed.items() if names and (kind != "build-cache" or records)}
        assert (name, gone(run.json())) == (name, (wanted, tags))
    # What was planned is done, tags that go while their image stays included.
    policy = str(SITUATIONS / "releases.toml")
    swept = dockersweep(
        "sweep", "--yes", "--policy", policy, "--format", "json", host=engine.url, DOCKERSWEEP_NOW=LATER
    )
    assert swept.status == 0, swept.stderr
    assert {one["status"] for one in swept.json()["outcomes"]} == {"removed"}
    left = {short(tag) for one in engine.wire.images() for tag in one.get("RepoTags") or ()}
    assert left >= {ALSO_DEPLOYED, *RELEASES[3:]}
    assert not left & {*RELEASES[:3]}
    again = dockersweep(
        "sweep", "--yes", "--policy", policy, "--format", "json", host=engine.url, DOCKERSWEEP_NOW=LATER
    )
    assert again.json()["outcomes"] == []
