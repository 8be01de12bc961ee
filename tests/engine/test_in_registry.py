"""Whether an image can be pulled again, on real engines: most of them give digests to what no registry has.

Each image has a tag that is its own, so that it is known by it; the one whose tag moved on is known by having none.
The registry is gone before anything is scanned: what is told is what came from it, not what it still has.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.rig.engines.archive import random_bytes, tar
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.engines.scenarios_registry import Registry, registry
from tests.rig.engines.truth_remote import far_away
from tests.rig.running import dockersweep

PULLED = {"pulled", "platforms", "pushed", "moved", "one", "two", "digested"}
PULLED_IN_DOUBT = {"base", "reloaded"}
"""Pulled as well, but on the containerd store nothing tells it from what is below: it has no layer of its own, or
none that was transferred."""
LOCAL = {"loaded", "imported", "foreign", "built", "latest", "committed", "configured", "left"}
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
    pull(litter, source)
    litter.image("loaded:loaded", layers={"loaded": 1000})
    litter.image("registry.example.com/foreign:foreign", layers={"foreign": 1000})
    litter.image(f"{source.address}/pushed:pushed", layers={"pushed": 1000})
    source.push(f"{source.address}/pushed", "pushed")
    engine.wire.raw("POST", "/images/create", layer("imported"), fromSrc="-", repo="imported", tag="imported")
    build(engine, litter, f"FROM {source.address}/base:base\nCOPY own /own\n", "built:built")
    container = litter.container(image="built:built", state="created")
    engine.wire.call("POST", "/commit", container=container, repo="committed", tag="committed")
    engine.wire.call("DELETE", f"/containers/{container}")
    # Own images in the repository of what they were built on, to which they add no layer.
    for tag, base in (("configured", "base:base"), ("left", "gone:gone")):
        repository = f"{source.address}/{base.partition(':')[0]}"
        build(engine, litter, f"FROM {source.address}/{base}\nENV A=1\n", f"{repository}:{tag}")
    engine.wire.call("DELETE", f"/images/{source.address}/gone:gone")
    if engine.kind.has_build_cache:
        local = {"imported:imported": "imported", "loaded:loaded": "layer/loaded"}
        local |= {f"{source.address}/{name}": name[:4] for name in ("base:configured", "gone:left")}
        # BuildKit marks each local image that it takes something from.
        lines = [f"COPY --from={image} /{file} /{number}" for number, (image, file) in enumerate(local.items())]
        litter.build("\n".join(["FROM scratch", *lines]), {})


def pull(litter: Litter, source: Registry) -> None:
    """Pull in every way, and take some of it away again."""
    source.offer("moved", [layer("moved")])
    source.pull("moved", "moved")
    source.offer("moved", [layer("pulled")])
    source.pull("moved", "moved")
    litter.retag(f"{source.address}/moved:moved", "pulled:pulled")
    source.offer_platforms("platforms", {one: [layer(one)] for one in ("amd64", "arm64")})
    source.pull("team/platforms", "platforms")
    for name in ("one", "two"):
        source.offer(name, [layer("below"), layer(name)])
    for name in ("base", "gone", "digested"):
        source.offer(name, [layer(name)])
    for name in ("one", "two", "base", "gone"):
        source.pull(name, name)
    source.pull("digested", source.digest("digested"))
    source.offer("reloaded", [layer("reloaded")])
    source.pull("reloaded", "reloaded")
    wire, name = litter.engine.wire, f"{source.address}/reloaded:reloaded"
    saved = wire.raw("GET", f"/images/{name}/get")
    wire.call("DELETE", f"/images/{name}")
    wire.raw("POST", "/images/load", saved)
    source.pull("reloaded", "reloaded")


def build(engine: Engine, litter: Litter, dockerfile: str, image: str) -> None:
    if engine.kind.has_build_cache:
        litter.build(dockerfile, {"own": b"own"}, image=image)
    else:
        litter.base()
        engine.wire.raw("POST", "/build", tar({"Dockerfile": dockerfile.encode(), "own": b"own"}), t=image)


def known_as(image: Any) -> str:
    """What we call an image: its tag, of one with several the one that is not the moved; without any its repository."""
    named = {tag.rpartition(":")[2] for tag in image["tags"]}
    named = named or {one.partition("@")[0].rpartition("/")[2] for one in image["digests"]}
    return min(named - {"moved"}, default="moved")


@pytest.fixture
def places(engine: Engine, litter: Litter) -> Iterator[dict[str, str]]:
    """The URLs of a full engine, from near, where its disk can be read, and from far away."""
    with registry(engine) as source:
        fill(engine, litter, source)
    with ExitStack() as stack:
        yield {"near": engine.url, "far": stack.enter_context(far_away(engine.recorder.path))}


def expected(engine: Engine, where: str) -> Mapping[str, bool | None]:
    """What can be known. On Podman, what is loaded or built by its own means has names of localhost only."""
    everything = PULLED | PULLED_IN_DOUBT | LOCAL
    if engine.kind.flavour == "podman":
        return dict.fromkeys(everything) | dict.fromkeys(("loaded", "latest"), False)
    if engine.kind.image_store != "containerd":
        return dict.fromkeys(PULLED | PULLED_IN_DOUBT, True) | dict.fromkeys(LOCAL, False)
    if where == "far":
        return dict.fromkeys(everything)
    return dict.fromkeys(PULLED, True) | dict.fromkeys(PULLED_IN_DOUBT | LOCAL, False)


@pytest.mark.enough_on(*NEWEST)
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
