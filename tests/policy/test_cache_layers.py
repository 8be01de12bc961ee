"""Which layers build-cache records may hold: the layer that one really holds is always among them."""

import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.engine.api.answers import ImageLayers
from dockersweep.engine.disk.bolt import Bucket, read_bolt
from dockersweep.engine.reading.image_layers import read_layers
from dockersweep.engine.reading.layer_parts import layer_parts
from dockersweep.model.inventory import BuildCacheRecord, Image, Inventory
from dockersweep.model.storage import Part
from dockersweep.policy.bytes.cache_layers import may_hold
from tests.rig.empty_layers import DOCKERFILE, GRAPHDRIVERS, litter_with_empty_layers
from tests.rig.engines.archive import ImageSpec, tar
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.examples import examples
from tests.rig.inventories import ENGINE, image, inventory, record
from tests.rig.layers import chain_ids, freed_bytes
from tests.rig.own_scan import own_client

BIG = 100_000


def layers(*sizes: int, start: str = "", below: str | None = None) -> list[Part]:
    """Layers on each other: "layer:a0", "layer:a1" and so on."""
    found: list[Part] = []
    for place, size in enumerate(sizes):
        needs = (found[-1].id,) if found else () if below is None else (below,)
        found.append(Part(id=f"layer:{start}{place}", needs=needs, low_bytes=size, high_bytes=size))
    return found


def held(parts: Sequence[Part], *records: BuildCacheRecord) -> dict[str, set[str]]:
    """What each record may hold, without what all ids begin with."""
    found = may_hold(inventory(*records), {part.id: part for part in parts})
    return {name: {one.removeprefix("layer:") for one in those} for name, those in found.items()}


def from_image(name: str, *parents: str) -> BuildCacheRecord:
    """A record of a layer that a build started from."""
    seen = record(name, *parents, shared=True, size=0)
    return msgspec.structs.replace(seen, description="from local ")


def built(name: str, *parents: str, size: int) -> BuildCacheRecord:
    """A record of a step whose layer an image holds too."""
    return record(name, *parents, shared=True, size=size)


def test_depth_and_size_tell_the_layer() -> None:
    parts = [*layers(BIG, BIG + 1, start="a"), *layers(BIG + 5, BIG + 6, start="b", below="layer:a0")]
    found = held(parts, from_image("base"), built("one", "base", size=BIG + 5), built("two", "one", size=BIG + 6))
    assert found == {"base": {"a0"}, "one": {"b0"}, "two": {"b1"}}


def test_a_child_tells_what_its_parent_is() -> None:
    parts = [*layers(BIG, BIG + 1, start="a"), *layers(BIG + 8, BIG + 2, start="b")]
    assert held(parts, from_image("base")) == {"base": {"a0", "b0"}}
    assert held(parts, from_image("base"), built("one", "base", size=BIG + 2)) == {"base": {"b0"}, "one": {"b1"}}


def test_a_record_of_no_bytes_may_have_come_from_elsewhere() -> None:
    assert held(layers(0, start="a") + layers(BIG, start="b"), built("one", size=0)) == {"one": {"a0", "b0"}}


def test_what_was_measured_early_counts_links_too() -> None:
    parts = [*layers(BIG, start="a"), *layers(BIG + 50, start="b")]
    assert held(parts, built("one", size=BIG + 3)) == {"one": {"a0"}}
    # Where no layer is small enough it was measured while it was being written.
    assert held(parts, built("one", size=70_000)) == {"one": {"a0", "b0"}}
    # Of a few bytes, another layer may have as many by chance.
    assert held([*layers(29, start="a"), *layers(0, start="b")], built("one", size=29)) == {"one": {"a0", "b0"}}


def test_what_is_not_told_apart_is_not_held_for_certain() -> None:
    lower = layers(0, 0, start="a")
    top = Part(
        id="layer:a2", needs=("layer:a1",), low_bytes=2 * BIG + 1, high_bytes=2 * BIG + 1,
        undivided_layers=3, undivided_sizes=(BIG, BIG + 1),
    )  # fmt: skip
    parts = [*lower, top, *layers(3 * BIG, start="b")]
    one, two, three = built("one", size=BIG), built("two", "one", size=0), built("three", "two", size=0)
    assert held(parts, one, two, three) == {"one": {"a0", "a2"}, "two": {"a1", "a2"}, "three": {"a2"}}


def test_what_has_no_place_is_left_open() -> None:
    parts = layers(BIG, BIG, start="a")
    assert held(parts, built("merged", "one", "two", size=BIG)) == {}
    assert held(parts, built("orphan", "lost", size=BIG)) == {}
    deep = [from_image("one"), from_image("two", "one"), from_image("three", "two")]
    assert held(parts, *deep) == {}


def test_records_that_share_nothing_hold_no_layer_of_an_image() -> None:
    assert held(layers(BIG, start="a"), record("own", size=BIG)) == {}


@pytest.mark.parametrize("other", [{"flavour": "podman"}, {"image_store": "containerd"}], ids=str)
def test_only_the_classic_store_keeps_its_cache_so(other: Mapping[str, str]) -> None:
    seen = msgspec.structs.replace(inventory(from_image("base")), engine=msgspec.structs.replace(ENGINE, **other))
    assert may_hold(seen, {part.id: part for part in layers(BIG)}) == {}


@dataclass
class Build:
    """What an engine tells of images of a few bases and steps and of its cache, and what is true of them."""

    seen: Inventory
    parts: tuple[Part, ...]
    size_of: dict[str, int]
    """The bytes of each layer."""
    chain_of: dict[str, list[str]]
    """The layers that each image and each record holds, the lowest first."""


@st.composite
def builds(draw: st.DrawFn) -> Build:
    """Layers of nothing and of the same size in every position, and records that hold some of them."""
    parents = [draw(st.integers(-1, number - 1)) for number in range(draw(st.integers(1, 10)))]
    sizes = [draw(st.sampled_from([0, 0, 10, BIG, BIG + 1, BIG + 2])) for _ in parents]
    images: list[Image] = []
    records: list[BuildCacheRecord] = []
    told: dict[str, ImageLayers] = {}
    size_of: dict[str, int] = {}
    chain_of: dict[str, list[str]] = {}
    for top in sorted(draw(st.sets(st.integers(0, len(parents) - 1), min_size=1))):
        chain = [top]
        while parents[chain[0]] >= 0:
            chain.insert(0, parents[chain[0]])
        names = [f"layer:{name}" for name in chain_ids([f"sha256:{node}" for node in chain])]
        size_of |= {name: sizes[node] for name, node in zip(names, chain, strict=True)}
        images.append(image(str(top), size=sum(sizes[node] for node in chain), shared=None))
        chain_of[f"image:sha256:{top}"] = names
        history = [size for node in chain for size in [0] * draw(st.integers(0, 1)) + [sizes[node]]]
        diffs = tuple(f"sha256:{node}" for node in chain)
        told[f"sha256:{top}"] = ImageLayers(diff_ids=diffs, history_bytes=tuple(history))
        from_base, last = draw(st.integers(0, len(chain))), draw(st.integers(0, len(chain)))
        for place, node in enumerate(chain[:last]):
            above = (f"{top}-{place - 1}",) if place else ()
            # Links are measured before the layer is made of the record; no layer is as large by chance.
            links = draw(st.sampled_from([0, 0, 7])) if sizes[node] else 0
            name = f"{top}-{place}"
            base = place < from_base
            records.append(from_image(name, *above) if base else built(name, *above, size=sizes[node] + links))
            chain_of[name] = names[: place + 1]
    return Build(inventory(*images, *records), layer_parts(images, told, "overlay2", "docker"), size_of, chain_of)


@examples(400)
@given(builds())
def test_the_true_layer_is_among_them(build: Build) -> None:
    found = may_hold(build.seen, {part.id: part for part in build.parts})
    for one in build.seen.build_cache or ():
        assert build.chain_of[one.id][-1] in found[one.id]


@examples(400)
@given(builds(), st.data())
def test_what_comes_back_beside_a_cache_lies_within_the_bounds(build: Build, data: st.DataObject) -> None:
    parts = {part.id: part for part in build.parts}
    found = may_hold(build.seen, parts)
    going = data.draw(st.sets(st.sampled_from(sorted(build.chain_of))))
    # The engine keeps a record as long as one depends on it.
    for one in reversed(build.seen.build_cache or ()):
        if one.id not in going:
            going -= set(one.parents)
    staying = {layer for holder in build.chain_of.keys() - going for layer in build.chain_of[holder]}
    freed = {layer for holder in going for layer in build.chain_of[holder]} - staying
    sure = [Part(id=name, needs=tuple(held), high_bytes=0) for name, held in found.items() if len(held) == 1]
    open_ones = [name for name, held in found.items() if len(held) > 1]
    possible = [Part(id=name, needs=tuple(held), high_bytes=0) for name, held in found.items()]
    nothing = [Part(id=name, high_bytes=0) for name in open_ones]
    low, _ = freed_bytes([*build.parts, *possible], going)
    _, high = freed_bytes([*build.parts, *sure, *nothing], going)
    assert low <= sum(build.size_of[layer] for layer in freed) <= high


def test_a_great_many_layers_and_records_take_little_time() -> None:
    chance = random.Random(3)
    parts: dict[str, Part] = {}
    records: list[BuildCacheRecord] = []
    for base in range(200):
        chain = layers(*(chance.randrange(BIG, 10**7) for _ in range(4)), start=f"base{base}-")
        for number in range(100):
            sizes = [chance.choice([0, chance.randrange(BIG, 10**7)]) for _ in range(10)]
            own = layers(*sizes, start=f"{base}-{number}-", below=chain[-1].id)
            parts |= {part.id: part for part in (*chain, *own)}
            if number < 2:
                names = [f"{base}-{number}-{place}" for place in range(14)]
                records += [from_image(names[place], *names[place - 1 : place]) for place in range(4)]
                records += [built(names[4 + place], names[3 + place], size=size) for place, size in enumerate(sizes)]
    seen = inventory(*records)
    before = time.process_time()
    found = may_hold(seen, parts)
    assert time.process_time() - before < 3
    assert len(found) > 0.9 * len(records)


# Real engines, with BuildKit's own databases as the oracle.


def layers_of_records(engine: Engine) -> dict[str, str | None]:
    """The layer that each record's snapshot is; None where it is no image's."""
    folder = engine.data_root / "buildkit"
    snapshots = read_bolt(folder / "snapshots.db").buckets()
    records = read_bolt(folder / "metadata_v2.db").bucket(b"_main")
    assert records is not None
    return {name.decode(): _chain_of(name, seen, snapshots) for name, seen in records.buckets().items()}


def _chain_of(name: bytes, seen: Bucket, snapshots: Mapping[bytes, Bucket]) -> str | None:
    told = seen.values().get(b"cache.snapshot")
    key = json.loads(told)["value"].encode() if told else name
    if key.startswith(b"sha256:"):
        # It was an image's layer before it was a record's.
        return f"layer:{key.decode()}"
    snapshot = snapshots.get(key)
    chain = snapshot.values().get(b"chainid") if snapshot else None
    return f"layer:{chain.decode()}" if chain else None


def scanned(engine: Engine) -> tuple[Inventory, dict[str, Part]]:
    """What our client tells, as a scan would have it."""
    with own_client(engine) as client:
        images: tuple[Image, ...] = client.images()
        cache = client.disk_usage(None, 60).build_cache or ()
        layers = read_layers(client, [seen.id for seen in images], {}, {})
    parts = layer_parts(images, layers, "overlay2", "docker")
    return inventory(*images, *cache), {part.id: part for part in parts}


def check(engine: Engine) -> dict[str, frozenset[str]]:
    """Hold what each record may hold against what it does hold."""
    seen, parts = scanned(engine)
    found = may_hold(seen, parts)
    truth = layers_of_records(engine)
    assert seen.build_cache
    for one in seen.build_cache:
        layer = truth[one.id]
        assert one.shared == (layer in parts), one
        if one.shared:
            assert layer in found[one.id], one
        else:
            assert one.id not in found
    return found


@pytest.mark.on_engines(*GRAPHDRIVERS)
@pytest.mark.enough_on(GRAPHDRIVERS[0], GRAPHDRIVERS[-1])
def test_every_record_holds_one_of_its_layers(engine: Engine, litter: Litter) -> None:
    litter_with_empty_layers(litter)
    found = check(engine)
    # What holds all layers of an image is known for certain: nothing of it comes back before the record goes.
    tops = {need for part in scanned(engine)[1].values() if part.id.startswith("image:") for need in part.needs}
    truth = layers_of_records(engine)
    assert all(len(those) == 1 for name, those in found.items() if truth[name] in tops)
    assert any(truth[name] in tops for name in found)


@pytest.mark.on_engines(*GRAPHDRIVERS)
@pytest.mark.enough_on(GRAPHDRIVERS[0], GRAPHDRIVERS[-1])
def test_records_that_were_measured_before_they_were_layers(engine: Engine, litter: Litter) -> None:
    litter.images([ImageSpec(("shop/base:1",), {"base-1": 500_000, "base-2": 200_000}, runnable=True)])
    files = {"payload": random.Random(1).randbytes(1_500_001), "other": random.Random(2).randbytes(700_003)}
    litter.build(DOCKERFILE, files)
    scanned(engine)
    litter.build(DOCKERFILE, files, image="shop/app:1")
    litter.build(DOCKERFILE.replace("touch", "true"), {**files, "other": b"x" * 700_002}, image="shop/app:2")
    check(engine)


@pytest.mark.on_engines(*GRAPHDRIVERS)
@pytest.mark.enough_on(GRAPHDRIVERS[0], GRAPHDRIVERS[-1])
def test_records_that_came_with_an_image(engine: Engine, litter: Litter) -> None:
    litter.images([ImageSpec(("shop/base:1",), {"base-1": 500_000, "base-2": 200_000}, runnable=True)])
    files = {"payload": random.Random(1).randbytes(1_500_001), "other": random.Random(2).randbytes(700_003)}
    build = ("buildx", "build", "--quiet", "--network", "none", "--provenance=false", "--load")
    for tag, options in (
        ("shop/app:1", ("--build-arg", "BUILDKIT_INLINE_CACHE=1")),
        ("shop/app:2", ("--cache-from", "shop/app:1")),
    ):
        more = "" if tag == "shop/app:1" else "RUN touch /more\n"
        context = tar({"Dockerfile": (DOCKERFILE + more).encode(), **files})
        engine.docker(*build, "--tag", tag, *options, "-", stdin=context)
        if not more:
            engine.wire.call("POST", "/build/prune", all=1)
    found = check(engine)
    # The databases know, and the engine does not tell, that these were not built here.
    assert len(found) >= 9
