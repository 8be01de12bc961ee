"""Layers as the engine's API tells of them: the sizes that are said hold the true ones, whatever the engine hides."""

import random
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from dockersweep.engine.api.answers import ImageLayers
from dockersweep.engine.reading.layer_parts import EMPTY_LAYER, layer_parts, unclear_images
from dockersweep.model.inventory import Image
from tests.rig.examples import examples
from tests.rig.inventories import image
from tests.rig.layers import chain_ids, freed_bytes, layers_of, of_one_platform, parts_of, sizes_of


def test_a_history_without_zeros_tells_each_layer() -> None:
    images = [image("web", size=60, shared=30), image("job", size=70, shared=30)]
    layers = {
        "sha256:web": layers_of("a", "b", history=[30, 30]),
        "sha256:job": layers_of("a", "c", history=[30, 40]),
    }
    parts = parts_of(images, layers)
    assert sizes_of(parts) == {"layer:a": (30, 30), "layer:b": (30, 30), "layer:c": (40, 40)}
    assert parts["image:sha256:web"].needs == (f"layer:{chain_ids(['a', 'b'])[1]}",)
    assert parts["layer:b"].needs == ("layer:a",)


def test_as_many_steps_as_layers_tell_where_the_zeros_are() -> None:
    layers = {"sha256:web": layers_of("a", "b", "c", history=[30, 0, 5])}
    assert sizes_of(parts_of([image("web", size=35)], layers)) == {"layer:a": (30, 30), "layer:c": (5, 5)}


def test_layers_that_cannot_be_told_apart_are_summed_up() -> None:
    # Either zero may be the layer.
    layers = {"sha256:web": layers_of("a", "b", "c", history=[0, 30, 5, 0])}
    parts = parts_of([image("web", size=35)], layers)
    assert sizes_of(parts) == {"layer:c": (35, 35)}
    assert (parts["layer:c"].undivided_layers, parts["layer:c"].undivided_sizes) == (3, (30, 5))


def test_the_size_of_an_image_below_tells_them_apart() -> None:
    layers = {
        "sha256:web": layers_of("a", "b", "c", history=[0, 30, 5, 0]),
        "sha256:base": layers_of("a", history=[30]),
    }
    parts = parts_of([image("web", size=35, shared=30), image("base", size=30, shared=30)], layers)
    assert sizes_of(parts)["layer:a"] == (30, 30)
    assert sizes_of(parts)["layer:c"] == (5, 5)


def test_the_shared_size_tells_how_far_layers_are_shared() -> None:
    history = [30, 0, 5, 0]
    layers = {
        "sha256:web": layers_of("a", "b", "c", history=history),
        "sha256:job": layers_of("a", "b", "d", history=history),
    }
    for shared, bounds in ((30, (30, 30)), (35, (35, 35))):
        images = [image("web", size=35, shared=shared), image("job", size=35, shared=shared)]
        parts = parts_of(images, layers)
        assert sum(part.low_bytes for part in parts.values()) == bounds[0] + 2 * (35 - shared)
        assert all(part.low_bytes == part.high_bytes for part in parts.values())


def test_the_empty_archive_is_an_empty_layer() -> None:
    layers = {"sha256:web": layers_of(EMPTY_LAYER, "b", history=[0, 30, 0])}
    assert sizes_of(parts_of([image("web", size=30)], layers)) == {"layer:b": (30, 30)}


def test_an_image_without_a_history_is_known_by_its_size() -> None:
    layers = {"sha256:web": layers_of("a", "b", history=[])}
    assert sizes_of(parts_of([image("web", size=35)], layers)) == {"layer:b": (35, 35)}


def test_what_could_not_be_asked_has_no_part_unless_it_shares_nothing() -> None:
    images = [image("alone", size=35), image("lost", size=40, shared=5), image("unknown", shared=None)]
    assert sizes_of(parts_of(images, {})) == {"image:sha256:alone": (35, 35)}
    assert unclear_images(images, {}, "overlay2", "docker") == {"sha256:lost", "sha256:unknown"}


def test_the_containerd_store_has_contents_beside_the_layers() -> None:
    layers = {
        "sha256:web": layers_of("a", "b", history=[30, 30]),
        "sha256:job": layers_of("a", "c", history=[30, 40]),
        "sha256:own": layers_of("x", history=[10]),
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


@examples(400)
@given(truths(), st.data())
def test_what_comes_back_lies_within_the_bounds(truth: Truth, data: st.DataObject) -> None:
    parts = layer_parts(truth.images, truth.layers, "overlay2", "docker")
    going = data.draw(st.sets(st.integers(0, len(truth.tops) - 1)))
    low, high = freed_bytes(parts, [f"image:sha256:{number}" for number in going])
    assert low <= truth.freed(going) <= high


@examples(200)
@given(truths())
def test_all_images_that_share_nothing_are_exact(truth: Truth) -> None:
    parts = layer_parts(truth.images, truth.layers, "overlay2", "docker")
    for seen in truth.images:
        if seen.shared_bytes == 0:
            assert freed_bytes(parts, [f"image:{seen.id}"]) == (seen.size_bytes, seen.size_bytes)


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
