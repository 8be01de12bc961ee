"""Whether an image can be pulled again, on real engines: most of them give digests to what no registry has.

Each image has a tag that is its own, so that it is known by it; the one whose tag moved on is known by having none.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.engines.archive import random_bytes, tar
from tests.engines.engine import Engine
from tests.engines.litter import Litter
from tests.engines.scenarios_registry import Registry, registry
from tests.engines.truth_remote import far_away
from tests.running import dockersweep

PULLED, LOCAL = {"pulled", "platforms", "pushed", "moved"}, {"loaded", "imported", "foreign", "built", "busybox"}
POLICY = """
version = 1
[[rule]]
name = "can be pulled again"
kind = "image"
match.recoverable = {wanted}
remove.older_than = "0s"
"""


def layer(name: str) -> bytes:
    return tar({name: random_bytes(name, 1000)})


def fill(engine: Engine, litter: Litter, source: Registry) -> None:
    """Make images in every way."""
    source.offer("moved", [layer("moved")])
    source.pull("moved", "moved")
    source.offer("moved", [layer("pulled")])
    source.pull("moved", "moved")
    litter.retag(f"{source.address}/moved:moved", "pulled:1")
    source.offer_platforms("platforms", {one: [layer(one)] for one in ("amd64", "arm64")})
    source.pull("team/platforms", "platforms")
    litter.image("loaded:1", layers={"loaded": 1000})
    litter.image("registry.example.com/foreign:1", layers={"foreign": 1000})
    litter.image(f"{source.address}/pushed:pushed", layers={"pushed": 1000})
    source.push(f"{source.address}/pushed", "pushed")
    engine.wire.raw("POST", "/images/create", layer("imported"), fromSrc="-", repo="imported", tag="1")
    dockerfile = f"FROM {source.address}/moved:moved\nCOPY own /own\n"
    if engine.kind.has_build_cache:
        litter.build(dockerfile, {"own": b"own"}, image="built:1")
    else:
        litter.base()
        engine.wire.raw("POST", "/build", tar({"Dockerfile": dockerfile.encode(), "own": b"own"}), t="built:1")


def known_as(image: Any) -> str:
    """What we call an image: the last part of its repository, of one with several the one that is not the moved."""
    names = {tag.rpartition(":")[0].rpartition("/")[2] for tag in image["tags"]}
    return min(names - {"moved"}, default="moved")


@pytest.fixture
def places(engine: Engine, litter: Litter) -> Iterator[dict[str, str]]:
    """The URLs of a full engine, from near, where its disk can be read, and from far away."""
    with ExitStack() as stack:
        fill(engine, litter, stack.enter_context(registry(engine)))
        yield {"near": engine.url, "far": stack.enter_context(far_away(engine.recorder.path))}


def expected(engine: Engine, where: str) -> Mapping[str, bool | None]:
    """What can be known. On Podman, what is loaded or built by its own means has names of localhost only."""
    if engine.kind.flavour == "podman":
        return dict.fromkeys(PULLED | LOCAL) | dict.fromkeys(("loaded", "busybox"), False)
    if engine.kind.image_store == "containerd" and where == "far":
        return dict.fromkeys(PULLED | LOCAL)
    return dict.fromkeys(PULLED, True) | dict.fromkeys(LOCAL, False)


def test_what_is_in_a_registry(engine: Engine, places: dict[str, str], tmp_path: Path) -> None:
    for where, url in places.items():
        known = expected(engine, where)
        seen = {known_as(one): one for one in dockersweep("scan", "--format", "json", host=url).json()["images"]}
        assert {name: one["in_registry"] for name, one in seen.items()} == known
        if engine.kind.flavour == "podman" or engine.kind.image_store == "containerd":
            assert all(one["digests"] for one in seen.values() if one["tags"])
        for wanted in (True, False):
            policy = tmp_path / "policy.toml"
            policy.write_text(POLICY.format(wanted=str(wanted).lower()))
            plan = dockersweep("plan", "--policy", str(policy), "--format", "json", host=url).json()
            removed = {one["id"] for one in plan["decisions"] if one["verdict"] == "remove"}
            assert removed == {one["id"] for name, one in seen.items() if known[name] is wanted}
