"""What comes back, against a plain definition: what removed objects reach and no other does."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.model.inventory import Inventory, Mount, Object, ObjectRef
from dockersweep.model.naming import id_of, kind_of, objects_of, ref_of
from dockersweep.model.plan import Interval
from dockersweep.model.storage import Part, Storage
from dockersweep.policy.bytes import layer_graph
from dockersweep.policy.bytes.reclaim import Reclaim
from dockersweep.policy.bytes.sizes import Sizes
from dockersweep.policy.judging.survey import Survey
from tests.rig.examples import examples
from tests.rig.inventories import NOW, container, image, inventory, network, reclaim_of, record, volume

LAYERS = [f"layer:{number}" for number in range(8)]


def part(one: str, *needs: str, size: int = 0, most: int | None = None) -> Part:
    return Part(id=one, needs=needs, low_bytes=size, high_bytes=size if most is None else most, folder=one)


def stored(*objects: Object, parts: Sequence[Part], base: str = "disk") -> Inventory:
    storage = msgspec.convert({"base": base}, Storage)
    return msgspec.structs.replace(inventory(*objects), storage=msgspec.structs.replace(storage, parts=tuple(parts)))


def refs(*objects: Object) -> list[ObjectRef]:
    return [ref_of(one) for one in objects]


def sizes_of(seen: Inventory) -> Sizes:
    return Survey(seen, NOW).sizes


def pair(interval: Interval) -> tuple[int, int | None]:
    return interval.low_bytes, interval.high_bytes


OLD, NEW, BASE = image("old", "app:1"), image("new", "app:2"), image("base", "base:1")
CHAIN = [
    part("layer:a", size=100),
    part("layer:b", "layer:a", size=20),
    part("layer:c", "layer:a", size=3),
    part("image:sha256:base", "layer:a"),
    part("image:sha256:old", "layer:b", size=1),
    part("image:sha256:new", "layer:c", size=1),
]


def test_a_shared_layer_comes_back_once_and_with_its_last_holder() -> None:
    reclaim = reclaim_of(stored(OLD, NEW, BASE, parts=CHAIN))
    assert pair(reclaim.in_order(refs(OLD)).total) == (21, 21)
    told = reclaim.in_order(refs(OLD, NEW, BASE))
    assert [pair(row) for row in told.rows] == [(21, 21), (4, 4), (100, 100)]
    assert pair(told.total) == (125, 125)
    backwards = reclaim.in_order(refs(BASE, NEW, OLD))
    assert [pair(row) for row in backwards.rows] == [(0, 0), (4, 4), (121, 121)]
    assert backwards.total == told.total
    assert [pair(reclaim.alone(ref)) for ref in refs(OLD, NEW, BASE)] == [(21, 21), (4, 4), (0, 0)]


def test_a_container_keeps_the_layers_of_an_image_that_was_removed_under_it() -> None:
    old = container("old", image="sha256:gone")
    reclaim = reclaim_of(stored(OLD, old, parts=[*CHAIN[:2], CHAIN[4], part("container:old", "layer:b", size=5)]))
    assert pair(reclaim.in_order(refs(OLD)).total) == (1, 1)
    assert [pair(row) for row in reclaim.in_order(refs(OLD, old)).rows] == [(1, 1), (125, 125)]


def test_what_a_container_keeps_of_a_mounted_image_that_was_removed_is_not_known_from_afar() -> None:
    def low_and_high(mounted: str) -> tuple[int, int | None]:
        mount = Mount(type="image", volume=None, source=mounted)
        one = msgspec.structs.replace(container("c", image=OLD.id, size=5), mounts=(mount,))
        return pair(reclaim_of(inventory(OLD, NEW, one)).in_order(refs(one)).total)

    assert low_and_high("app:2") == low_and_high("new") == (5, 5)
    assert low_and_high("app:3") == (5, None)


def test_what_no_list_shows_keeps_its_layers_for_good() -> None:
    reclaim = reclaim_of(stored(OLD, parts=[*CHAIN[:2], CHAIN[4], part("lease:pull", "layer:b")]))
    assert pair(reclaim.in_order(refs(OLD)).total) == (1, 1)


def test_sizes_that_are_not_known_stay_unknown_and_are_told() -> None:
    lost = volume("lost", size=None)
    reclaim = reclaim_of(stored(lost, volume("v"), network("n"), parts=[part("volume:v", size=7)]))
    told = reclaim.in_order(refs(lost, volume("v"), network("n")))
    assert pair(told.total) == (7, None)
    assert told.total.reason == "1 size is not known"
    assert [pair(row) for row in told.rows] == [(0, None), (7, 7), (0, 0)]


def test_by_the_engines_words_a_shared_record_may_hold_what_an_image_gives_back() -> None:
    held = record("r", shared=True)
    parts = [part("layer:a", size=100), part("layer:b", "layer:a", size=20), part("image:sha256:old", "layer:b")]
    seen = stored(OLD, held, parts=parts, base="lengths")
    with patch.object(layer_graph, "may_hold", lambda *_: {"r": frozenset({"layer:a", "layer:b"})}):
        reclaim = reclaim_of(seen)
    told = reclaim.in_order(refs(OLD))
    assert pair(told.total) == (0, 120)
    assert told.total.reason == "1 build-cache record may hold these layers"
    both = reclaim.in_order(refs(OLD, held))
    assert pair(both.total) == (120, 120)
    assert [pair(row) for row in both.rows] == [(0, 120), (0, 120)]
    with patch.object(layer_graph, "may_hold", lambda *_: {"r": frozenset({"layer:a"})}):
        certain = reclaim_of(seen)
    assert pair(certain.in_order(refs(OLD)).total) == (20, 20)


def test_the_size_of_an_image_is_all_its_layers_and_a_records_its_own() -> None:
    held = record("r")
    parts = [*CHAIN, part("build-cache:r", "snapshot:r"), Part(id="snapshot:r", needs=("layer:b",), high_bytes=0)]
    sizes = sizes_of(stored(OLD, NEW, BASE, held, parts=parts))
    assert [sizes.of(one) for one in (OLD, NEW, BASE, held)] == [121, 104, 100, 20]
    assert pair(sizes.everything("image")) == (125, 125)
    assert pair(sizes.everything("build-cache")) == (0, 0)
    later = stored(OLD, NEW, BASE, held, image("later"), parts=parts)
    assert pair(sizes_of(later).everything("image")) == (125, None)


def test_a_record_counts_itself_and_not_what_it_was_built_on() -> None:
    chain = [Part(id="snapshot:r0", high_bytes=7, low_bytes=7, folder="r0")]
    records = [record("r0")]
    links = [Part(id="build-cache:r0", needs=("snapshot:r0",), high_bytes=0)]
    for number in range(1, 3000):
        below = f"r{number - 1}"
        chain.append(
            Part(id=f"snapshot:r{number}", needs=(f"snapshot:{below}",), high_bytes=7, low_bytes=7, folder="x")
        )
        links.append(
            Part(id=f"build-cache:r{number}", needs=(f"snapshot:r{number}", f"build-cache:{below}"), high_bytes=0)
        )
        records.append(record(f"r{number}", below))
    sizes = sizes_of(stored(*records, parts=[*chain, *links]))
    assert {sizes.of(one) for one in records} == {7}


def test_a_part_without_a_folder_that_needs_itself_ends() -> None:
    loop = [Part(id="build-cache:r", needs=("odd",), high_bytes=0), Part(id="odd", needs=("odd",), high_bytes=0)]
    assert sizes_of(stored(record("r"), parts=loop)).of(record("r")) == 0


def test_a_part_of_unknown_size_that_may_be_held_is_unknown_in_each_row() -> None:
    held = record("r", shared=True)
    parts = [Part(id="layer:a", high_bytes=None), part("layer:b"), part("image:sha256:old", "layer:a", "layer:b")]
    seen = stored(OLD, held, parts=parts, base="lengths")
    with patch.object(layer_graph, "may_hold", lambda *_: {"r": frozenset({"layer:a", "layer:b"})}):
        told = reclaim_of(seen).in_order(refs(OLD, held))
    assert [row.high_bytes for row in told.rows] == [None, None]


def own_part(ref: ObjectRef) -> str:
    return f"{ref.kind}:{ref.id}"


@dataclass(frozen=True)
class World:
    """An inventory, and what each object truly holds, of which the storage tells only a part."""

    seen: Inventory
    truth: Mapping[str, frozenset[str]]
    sizes: Mapping[str, int]

    def freed(self, removed: Collection[ObjectRef]) -> int:
        kept = {ref_of(one) for one in objects_of(self.seen)} - set(removed)
        lost = self._reached(map(own_part, removed)) - self._reached(map(own_part, kept))
        return sum(self.sizes[one] for one in lost)

    def _reached(self, owners: Iterable[str]) -> set[str]:
        reached: set[str] = set()
        waiting = list(owners)
        while waiting:
            one = waiting.pop()
            if one not in reached:
                reached.add(one)
                waiting += self.truth.get(one, ())
        return reached


@st.composite
def worlds(draw: st.DrawFn, uncertain: bool) -> World:
    """Layers that depend on others, images and containers on them, and records that may hold any of some."""
    truth: dict[str, frozenset[str]] = {}
    for number, layer in enumerate(LAYERS):
        truth[layer] = frozenset(draw(st.sets(st.sampled_from(LAYERS[:number]), max_size=2))) if number else frozenset()
    objects: list[Object] = [image(name) for name in "abcd"]
    objects += [container("c", image="sha256:a"), volume("v"), network("n")]
    for one in objects:
        held = draw(st.sets(st.sampled_from(LAYERS), max_size=2)) if not isinstance(one, type(network("n"))) else set()
        truth[f"{kind_of(one)}:{id_of(one)}"] = frozenset(held)
    # A layer that nothing needed would have a holder that no list shows.
    needed = {one for held in truth.values() for one in held}
    truth["image:sha256:a"] |= {layer for layer in LAYERS if layer not in needed}
    maybe: dict[str, frozenset[str]] = {}
    if uncertain:
        for name in draw(st.sets(st.sampled_from("rstu"), max_size=3)):
            may = draw(st.sets(st.sampled_from(LAYERS), min_size=2, max_size=4))
            maybe[name] = frozenset(may)
            objects.append(record(name, shared=True))
            truth[f"build-cache:{name}"] = frozenset({draw(st.sampled_from(sorted(may)))})
    sizes = {one: 0 if one.startswith(("build-cache", "network")) else draw(st.integers(0, 1000)) for one in truth}
    parts = [
        Part(id=one, needs=tuple(sorted(held)), low_bytes=sizes[one], high_bytes=sizes[one])
        for one, held in truth.items()
        if not one.startswith("build-cache")
    ]
    seen = stored(*objects, parts=parts, base="lengths" if uncertain else "disk")
    return World(seen, {**truth, **{f"maybe {name}": held for name, held in maybe.items()}}, sizes)


def predicting(world: World) -> Reclaim:
    maybe = {name.removeprefix("maybe "): held for name, held in world.truth.items() if name.startswith("maybe ")}
    with patch.object(layer_graph, "may_hold", lambda *_: maybe):
        return reclaim_of(world.seen)


def permuted(draw: st.DataObject, world: World) -> list[ObjectRef]:
    return draw.draw(st.permutations([ref_of(one) for one in objects_of(world.seen)]))


@given(worlds(uncertain=False), st.data())
@examples(150)
def test_where_all_is_told_the_prediction_is_exact_row_by_row(world: World, data: st.DataObject) -> None:
    order = permuted(data, world)
    told = predicting(world).in_order(order)
    assert pair(told.total) == (world.freed(order), world.freed(order))
    for count, row in enumerate(told.rows):
        added = world.freed(order[: count + 1]) - world.freed(order[:count])
        assert pair(row) == (added, added)
    by_kind = predicting(world).in_order(sorted(order, key=lambda ref: ref.kind))
    assert sum(kind.low_bytes for kind in by_kind.of_kinds.values()) == told.total.low_bytes


@given(worlds(uncertain=True), st.data())
@examples(150)
def test_whatever_is_not_told_the_interval_holds_the_truth(world: World, data: st.DataObject) -> None:
    order = permuted(data, world)
    order = order[: data.draw(st.integers(0, len(order)))]
    reclaim = predicting(world)
    told = reclaim.in_order(order)
    assert_holds(told.total, world.freed(order))
    for count, row in enumerate(told.rows):
        assert_holds(row, world.freed(order[: count + 1]) - world.freed(order[:count]))
        assert_holds(reclaim.alone(order[count]), world.freed(order[count : count + 1]))
    assert sum(row.low_bytes for row in told.rows) <= told.total.low_bytes
    assert sum(row.high_bytes or 0 for row in told.rows) >= (told.total.high_bytes or 0)


def assert_holds(interval: Interval, truth: int) -> None:
    assert interval.high_bytes is not None
    assert interval.low_bytes <= truth <= interval.high_bytes, interval
    assert (interval.reason is None) == (interval.low_bytes == interval.high_bytes)


@given(worlds(uncertain=True), st.data())
@examples(100)
def test_more_removals_never_give_back_less(world: World, data: st.DataObject) -> None:
    order = permuted(data, world)
    reclaim = predicting(world)
    totals = [reclaim.in_order(order[:count]).total for count in range(len(order) + 1)]
    assert [one.low_bytes for one in totals] == sorted(one.low_bytes for one in totals)
    assert [one.high_bytes or 0 for one in totals] == sorted(one.high_bytes or 0 for one in totals)


@pytest.mark.parametrize("needs", [("layer:a",), ("layer:gone",), ("layer:b", "layer:a")])
def test_damaged_storage_ends_in_an_answer(needs: tuple[str, ...]) -> None:
    parts = [part("layer:a", *needs, size=1), part("layer:b", "layer:a", size=1), part("image:sha256:old", "layer:b")]
    seen = stored(OLD, parts=parts)
    assert reclaim_of(seen).in_order(refs(OLD)).total.low_bytes >= 0
    assert sizes_of(seen).of(OLD) is not None
