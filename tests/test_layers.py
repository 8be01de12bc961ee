"""Layers as the engine's API tells of them: the sizes that are said hold the true ones, whatever the engine hides."""

import hashlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dockersweep.engine.client import Client
from dockersweep.engine.connection import Connection
from dockersweep.engine.endpoint import resolve_endpoint
from dockersweep.engine.image_layers import ImageLayers, memory_keys, read_layers, wanted_images
from dockersweep.engine.layer_parts import EMPTY_LAYER, layer_parts, unclear_images
from dockersweep.engine.side_by_side import INSPECTORS
from dockersweep.errors import EngineError, EngineLostError, EngineTimeoutError
from dockersweep.model.inventory import Engine as EngineNoun
from dockersweep.model.inventory import Image
from dockersweep.model.storage import Part
from tests.engines.archive import ImageSpec
from tests.engines.engine import Engine
from tests.engines.litter import Litter
from tests.inventories import ENGINE, image, record

GRAPHDRIVERS = ("docker-20.10", "docker-26.1", "docker-28.5")


def chain_ids(diff_ids: Sequence[str]) -> list[str]:
    """The ids of layers, each with those below it."""
    chained: list[str] = []
    for diff_id in diff_ids:
        whole = f"{chained[-1]} {diff_id}" if chained else None
        chained.append(diff_id if whole is None else "sha256:" + hashlib.sha256(whole.encode()).hexdigest())
    return chained


def told(*diff_ids: str, history: Sequence[int]) -> ImageLayers:
    """What is told of an image."""
    return ImageLayers(diff_ids=diff_ids, history_bytes=tuple(history))


def of_one_platform(seen: Image) -> Image:
    return msgspec.structs.replace(seen, manifest=f"{seen.id} manifest")


def parts_of(images: Sequence[Image], layers: Mapping[str, ImageLayers], store: str = "overlay2") -> dict[str, Part]:
    """The parts by their ids, each layer named by its own digest."""
    names = {
        chain: diff
        for one in layers.values()
        for diff, chain in zip(one.diff_ids, chain_ids(one.diff_ids), strict=True)
    }
    found = layer_parts([of_one_platform(seen) for seen in images], layers, store, "docker")
    return {part.id.replace(part.id[6:], names.get(part.id[6:], part.id[6:])): part for part in found}


def sizes_of(parts: Mapping[str, Part]) -> dict[str, tuple[int, int | None]]:
    """The bounds of those parts that can have any bytes."""
    return {name: (part.low_bytes, part.high_bytes) for name, part in parts.items() if part.high_bytes != 0}


def test_a_history_without_zeros_tells_each_layer() -> None:
    images = [image("web", size=60, shared=30), image("job", size=70, shared=30)]
    layers = {"sha256:web": told("a", "b", history=[30, 30]), "sha256:job": told("a", "c", history=[30, 40])}
    parts = parts_of(images, layers)
    assert sizes_of(parts) == {"layer:a": (30, 30), "layer:b": (30, 30), "layer:c": (40, 40)}
    assert parts["image:sha256:web"].needs == (f"layer:{chain_ids(['a', 'b'])[1]}",)
    assert parts["layer:b"].needs == ("layer:a",)


def test_as_many_steps_as_layers_tell_where_the_zeros_are() -> None:
    layers = {"sha256:web": told("a", "b", "c", history=[30, 0, 5])}
    assert sizes_of(parts_of([image("web", size=35)], layers)) == {"layer:a": (30, 30), "layer:c": (5, 5)}


def test_layers_that_cannot_be_told_apart_are_summed_up() -> None:
    # Either zero may be the layer.
    layers = {"sha256:web": told("a", "b", "c", history=[0, 30, 5, 0])}
    parts = parts_of([image("web", size=35)], layers)
    assert sizes_of(parts) == {"layer:c": (35, 35)}
    assert (parts["layer:c"].undivided_layers, parts["layer:c"].undivided_sizes) == (3, (30, 5))


def test_the_size_of_an_image_below_tells_them_apart() -> None:
    layers = {"sha256:web": told("a", "b", "c", history=[0, 30, 5, 0]), "sha256:base": told("a", history=[30])}
    parts = parts_of([image("web", size=35, shared=30), image("base", size=30, shared=30)], layers)
    assert sizes_of(parts)["layer:a"] == (30, 30)
    assert sizes_of(parts)["layer:c"] == (5, 5)


def test_the_shared_size_tells_how_far_layers_are_shared() -> None:
    history = [30, 0, 5, 0]
    layers = {"sha256:web": told("a", "b", "c", history=history), "sha256:job": told("a", "b", "d", history=history)}
    for shared, bounds in ((30, (30, 30)), (35, (35, 35))):
        images = [image("web", size=35, shared=shared), image("job", size=35, shared=shared)]
        parts = parts_of(images, layers)
        assert sum(part.low_bytes for part in parts.values()) == bounds[0] + 2 * (35 - shared)
        assert all(part.low_bytes == part.high_bytes for part in parts.values())


def test_the_empty_archive_is_an_empty_layer() -> None:
    layers = {"sha256:web": told(EMPTY_LAYER, "b", history=[0, 30, 0])}
    assert sizes_of(parts_of([image("web", size=30)], layers)) == {"layer:b": (30, 30)}


def test_an_image_without_a_history_is_known_by_its_size() -> None:
    layers = {"sha256:web": told("a", "b", history=[])}
    assert sizes_of(parts_of([image("web", size=35)], layers)) == {"layer:b": (35, 35)}


def test_what_could_not_be_asked_has_no_part_unless_it_shares_nothing() -> None:
    images = [image("alone", size=35), image("lost", size=40, shared=5), image("unknown", shared=None)]
    assert sizes_of(parts_of(images, {})) == {"image:sha256:alone": (35, 35)}
    assert unclear_images(images, {}, "overlay2", "docker") == {"sha256:lost", "sha256:unknown"}


def test_the_containerd_store_has_contents_beside_the_layers() -> None:
    layers = {
        "sha256:web": told("a", "b", history=[30, 30]),
        "sha256:job": told("a", "c", history=[30, 40]),
        "sha256:own": told("x", history=[10]),
    }
    images = [image("web", size=100), image("job", size=110), image("own", size=15)]
    sizes = sizes_of(parts_of(images, layers, "containerd"))
    assert sizes["image:sha256:web"] == (0, 40)
    assert sizes["image:sha256:own"] == (5, 5)
    # Of an image with two platforms only one is told: it may hold any blob and any layer.
    web, job, own = images
    told_of = [of_one_platform(web), job, of_one_platform(own)]
    found = {part.id: part for part in layer_parts(told_of, layers, "containerd", "docker")}
    assert "image:sha256:job" not in found
    assert found["image:sha256:own"].low_bytes == 0


def test_podman_can_keep_one_chain_twice() -> None:
    layers = {
        name: ImageLayers(diff_ids=("a",), history_bytes=(30,), stored_as=(stored,))
        for name, stored in (("sha256:one", "1" * 64), ("sha256:two", "2" * 64))
    }
    parts = layer_parts([image("one", size=32), image("two", size=33)], layers, "overlay", "podman")
    assert [(part.id[:9], part.low_bytes, part.high_bytes) for part in parts] == [
        ("layer:111", 30, 30),
        ("layer:222", 30, 30),
        ("image:sha", 2, 2),
        ("image:sha", 3, 3),
    ]


def test_layers_are_asked_for_where_images_share_or_the_cache_does() -> None:
    images = [image("alone"), image("web", shared=5), image("unknown", shared=None), image("child", parent="unknown")]
    few = {"sha256:web", "sha256:unknown", "sha256:child"}
    assert wanted_images(ENGINE, images, [record("r")]) == few
    assert wanted_images(ENGINE, images, [record("r", shared=True)]) == few | {"sha256:alone"}
    assert wanted_images(ENGINE, images, None) == few | {"sha256:alone"}
    podman = msgspec.structs.replace(ENGINE, flavour="podman")
    assert wanted_images(podman, images, ()) == few | {"sha256:alone"}


class Reads:
    """Answers, and counts what it is asked."""

    def __init__(self, engine: EngineNoun = ENGINE) -> None:
        self.engine = engine
        self.asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def image_layers(self, image_id: str) -> ImageLayers | None:
        with self._lock:
            self.asked[image_id] += 1
        if image_id == "bad":
            raise EngineError("it does not tell")
        return None if image_id == "gone" else told(image_id, history=[1])


def test_each_image_is_asked_once_and_what_fails_is_left_out() -> None:
    reads = Reads()
    wanted = ["known", "bad", "gone", *(f"i{number}" for number in range(20))]
    layers = read_layers(reads, wanted, {"known": told("k", history=[7])}, {name: name for name in wanted})
    assert set(layers) == set(wanted) - {"bad", "gone"}
    assert layers["known"].history_bytes == (7,)
    assert set(reads.asked.values()) == {1}
    assert "known" not in reads.asked


def test_what_can_change_is_asked_again() -> None:
    known = {"i": told("k", history=[7])}
    assert read_layers(Reads(), ["i"], known, {})["i"].history_bytes == (1,)
    assert read_layers(Reads(), ["i"], known, {"i": "other"})["i"].history_bytes == (1,)


def test_an_engine_that_stalls_is_not_asked_for_every_image() -> None:
    asked: list[str] = []

    class Stalls:
        engine = ENGINE

        def image_layers(self, image_id: str) -> ImageLayers | None:
            asked.append(image_id)
            raise EngineTimeoutError("late")

    assert read_layers(Stalls(), [str(number) for number in range(100)], {}, {}) == {}
    assert len(asked) <= INSPECTORS


def test_an_engine_that_is_lost_ends_the_scan() -> None:
    class Lost:
        engine = ENGINE

        def image_layers(self, image_id: str) -> ImageLayers | None:
            raise EngineLostError("gone")

    with pytest.raises(EngineLostError, match="gone"):
        read_layers(Lost(), ["a", "b"], {}, {})


def test_layers_are_remembered_by_what_does_not_change() -> None:
    images = [image("web", size=7)]
    containerd = msgspec.structs.replace(ENGINE, image_store="containerd")
    podman = msgspec.structs.replace(ENGINE, flavour="podman")
    assert memory_keys(ENGINE, images) == {"sha256:web": "sha256:web"}
    assert memory_keys(podman, images) == {"sha256:web": "sha256:web 7"}
    assert memory_keys(containerd, map(of_one_platform, images)) == {"sha256:web": "sha256:web manifest"}
    assert memory_keys(containerd, images) == {}


# What an engine hides, at random.


@dataclass
class Truth:
    """Layers of known sizes, images on them, and what an engine tells of those."""

    parents: list[int]
    sizes: list[int]
    tops: list[int]
    images: list[Image]
    layers: dict[str, ImageLayers]

    def chain(self, top: int) -> list[int]:
        """The layers below one, the lowest first, itself included."""
        found = []
        while top >= 0:
            found.append(top)
            top = self.parents[top]
        return found[::-1]

    def freed(self, going: Collection[int]) -> int:
        """The bytes that are held by none but these images."""
        staying = {node for number, top in enumerate(self.tops) if number not in going for node in self.chain(top)}
        gone = {node for number in going for node in self.chain(self.tops[number])} - staying
        return sum(self.sizes[node] for node in gone)


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    """Trees with layers of nothing, and layers of the same size, in every position."""
    parents = [draw(st.integers(-1, number - 1)) for number in range(draw(st.integers(1, 9)))]
    sizes = [draw(st.sampled_from([0, 0, 1, 2, 3, 50])) for _ in parents]
    tops = [draw(st.integers(0, len(parents) - 1)) for _ in range(draw(st.integers(1, 6)))]
    truth = Truth(parents, sizes, tops, [], {})
    holders = Counter(node for top in tops for node in truth.chain(top))
    for number, top in enumerate(tops):
        chain = truth.chain(top)
        history: list[int] = []
        for node in chain:
            history += [0] * draw(st.sampled_from([0, 0, 1, 2])) + [sizes[node]]
        history += [0] * draw(st.integers(0, 2))
        size, shared = sum(sizes[node] for node in chain), sum(sizes[node] for node in chain if holders[node] > 1)
        truth.images.append(image(str(number), size=size, shared=shared))
        steps = () if draw(st.integers(0, 9)) == 0 else tuple(history)
        if shared or draw(st.booleans()):
            diffs = tuple(f"sha256:{node}" for node in chain)
            truth.layers[f"sha256:{number}"] = ImageLayers(diff_ids=diffs, history_bytes=steps)
    return truth


def given_back(parts: Iterable[Part], going: Collection[str]) -> tuple[int, int]:
    """The bounds of what these images give back, by counting references."""
    by_id = {part.id: part for part in parts}
    needed = Counter(need for part in by_id.values() for need in part.needs)
    waiting, low, high = list(going), 0, 0
    while waiting:
        part = by_id[waiting.pop()]
        low += part.low_bytes
        assert part.high_bytes is not None
        high += part.high_bytes
        for need in part.needs:
            needed[need] -= 1
            if not needed[need]:
                waiting.append(need)
    return low, high


@settings(max_examples=400)
@given(truths(), st.data())
def test_what_comes_back_lies_within_the_bounds(truth: Truth, data: st.DataObject) -> None:
    parts = layer_parts(truth.images, truth.layers, "overlay2", "docker")
    going = data.draw(st.sets(st.integers(0, len(truth.tops) - 1)))
    low, high = given_back(parts, [f"image:sha256:{number}" for number in going])
    assert low <= truth.freed(going) <= high


@settings(max_examples=200)
@given(truths())
def test_all_images_that_share_nothing_are_exact(truth: Truth) -> None:
    parts = layer_parts(truth.images, truth.layers, "overlay2", "docker")
    for seen in truth.images:
        if seen.shared_bytes == 0:
            assert given_back(parts, [f"image:{seen.id}"]) == (seen.size_bytes, seen.size_bytes)


def test_a_great_many_layers_take_little_time() -> None:
    chance = random.Random(7)
    images: list[Image] = []
    layers: dict[str, ImageLayers] = {}
    for number in range(2000):
        sizes = [chance.choice([0, chance.randrange(1, 10**6)]) for _ in range(10)]
        diffs = tuple(f"sha256:{number % 50 if place < 3 else number}-{place}" for place in range(10))
        if number >= 50:
            sizes[:3] = layers[f"sha256:{number % 50}"].history_bytes[:3]
        images.append(image(str(number), size=sum(sizes), shared=sum(sizes[:3])))
        layers[f"sha256:{number}"] = ImageLayers(diff_ids=diffs, history_bytes=(*sizes, 0, 0))
    parts = layer_parts(images, layers, "overlay2", "docker")
    assert sum(part.id.startswith("layer:") for part in parts) == 50 * 3 + 2000 * 7


# Real engines.


def client_of(engine: Engine) -> Client:
    """Our own client, as a scan has it."""
    return Client(Connection(resolve_endpoint(engine.url, None, {}), 60), 0)


DOCKERFILE = """FROM shop/base:1
WORKDIR /srv/app
ENV A=1
COPY payload /srv/app/payload
RUN touch /srv/app/x
RUN rm /srv/app/payload
COPY other /srv/app/other
RUN mkdir -p /a && cp /srv/app/other /a/b && ln /a/b /a/c && ln -s b /a/d
CMD ["/bin/true"]
"""


def litter_with_empty_layers(litter: Litter) -> None:
    """Images on one base, with layers and steps of nothing in many places."""
    litter.images([ImageSpec(("shop/base:1",), {"base-1": 500_000, "base-2": 200_000}, runnable=True)])
    litter.images(
        [
            ImageSpec(("shop/web:1",), {"base-1": 500_000, "web-1": 300_000}),
            ImageSpec(("shop/web:2",), {"base-1": 500_000, "web-2": 0, "web-3": 100_000}),
            ImageSpec(("shop/alone:1",), {"alone": 70_000}),
        ]
    )
    if litter.engine.kind.has_build_cache:
        files = {"payload": random.Random(1).randbytes(1_500_001), "other": random.Random(2).randbytes(700_003)}
        litter.build(DOCKERFILE, files, image="shop/app:1")
        again = DOCKERFILE.replace("FROM shop/base:1", "FROM shop/app:1").replace(" /a", " /e")
        litter.build(again, files, image="shop/app:2")
    if litter.engine.kind.has_legacy_builder and litter.engine.kind.image_store == "overlay2":
        litter.legacy_build("shop/legacy:1", steps=3, size=400_000)


def everything_told(engine: Engine) -> tuple[tuple[Image, ...], dict[str, ImageLayers]]:
    """The images, and what is told of the layers of all of them."""
    client = client_of(engine)
    images = client.images()
    layers = read_layers(client, [seen.id for seen in images], {}, {})
    assert set(layers) == {seen.id for seen in images}
    return images, layers


def layerdb_sizes(engine: Engine) -> dict[str, int]:
    """The size of each layer of the classic image store, from its own files."""
    folders = (engine.data_root / "image/overlay2/layerdb/sha256").iterdir()
    return {f"layer:sha256:{folder.name}": int((folder / "size").read_text()) for folder in folders}


def divided(parts: Iterable[Part]) -> Iterator[tuple[Part, list[str]]]:
    """Each layer that is told, with all those that it has the bytes of."""
    by_id = {part.id: part for part in parts}
    merged: set[str] = set()
    found = []
    for part in by_id.values():
        if part.id.startswith("layer:"):
            run = [part.id]
            while len(run) < part.undivided_layers:
                run.append(by_id[run[-1]].needs[0])
            merged |= set(run[1:])
            found.append((part, run))
    return ((part, run) for part, run in found if part.id not in merged)


@pytest.mark.on_engines(*GRAPHDRIVERS)
def test_layers_are_as_large_as_the_engine_keeps_them(engine: Engine, litter: Litter) -> None:
    litter_with_empty_layers(litter)
    images, layers = everything_told(engine)
    true = layerdb_sizes(engine)
    seen = set()
    for part, run in divided(layer_parts(images, layers, "overlay2", "docker")):
        assert part.low_bytes == sum(true[one] for one in run) == part.high_bytes, (part, run)
        seen |= set(run)
    assert seen == set(true)


@pytest.mark.on_engines("docker-28.5-containerd")
def test_snapshots_and_contents_are_as_large_as_they_are_kept(engine: Engine, litter: Litter) -> None:
    litter_with_empty_layers(litter)
    images, layers = everything_told(engine)
    assert all(seen.manifest for seen in images)
    parts = {part.id: part for part in layer_parts(images, layers, "containerd", "docker")}
    alone = next(seen for seen in images if seen.tags == ("shop/alone:1",))
    snapshots = sum(parts[need].low_bytes for need in parts[f"image:{alone.id}"].needs)
    assert (
        parts[f"image:{alone.id}"].low_bytes
        == parts[f"image:{alone.id}"].high_bytes
        == (alone.size_bytes or 0) - snapshots
    )
    before = contents(engine)
    engine.wire.call("DELETE", f"/images/{alone.id}")
    deadline = time.monotonic() + 20
    while contents(engine) == before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert before - contents(engine) == parts[f"image:{alone.id}"].low_bytes


def contents(engine: Engine) -> int:
    """The bytes of all blobs of the containerd store."""
    blobs = engine.data_root.glob("containerd/daemon/io.containerd.content.v1.content/blobs/sha256/*")
    return sum(blob.stat().st_size for blob in blobs)


@pytest.mark.on_engines("podman-5.8", "podman-6.1")
def test_podman_has_each_layer_as_often_as_it_keeps_it(engine: Engine, litter: Litter) -> None:
    litter_with_empty_layers(litter)
    images, layers = everything_told(engine)
    kept = json.loads((engine.data_root / "overlay-layers/layers.json").read_text())
    true = {f"layer:{layer['id']}": layer["diff-size"] for layer in kept}
    parts = layer_parts(images, layers, "overlay", "podman")
    assert {part.id: part.low_bytes for part in parts if part.id.startswith("layer:")} == true
    assert all(part.low_bytes == part.high_bytes for part in parts)
