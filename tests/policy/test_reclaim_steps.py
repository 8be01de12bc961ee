"""Step by step the same comes back as all at once, and alone the same as by itself."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.model.inventory import ObjectRef
from dockersweep.model.naming import objects_of, ref_of
from dockersweep.model.plan import NOTHING
from dockersweep.model.quantities import known_sum
from dockersweep.model.storage import Part, Storage
from dockersweep.policy.judging.survey import Survey
from tests.policy.test_reclaim import (
    BASE,
    CHAIN,
    NEW,
    OLD,
    World,
    pair,
    part,
    permuted,
    predicting,
    refs,
    stored,
    worlds,
)
from tests.rig.examples import examples
from tests.rig.inventories import NOW, reclaim_of, volume


def with_unknown(world: World, unknown: Sequence[int]) -> World:
    """Return the world with parts whose size nobody knows."""
    storage = world.seen.storage or Storage(base="disk")
    lost = {storage.parts[number % len(storage.parts)].id for number in unknown}
    parts = tuple(Part(id=one.id, needs=one.needs, high_bytes=None) if one.id in lost else one for one in storage.parts)
    seen = msgspec.structs.replace(world.seen, storage=msgspec.structs.replace(storage, parts=parts))
    return World(seen, world.truth, world.sizes)


any_world = st.builds(
    with_unknown, st.booleans().flatmap(lambda uncertain: worlds(uncertain)), st.lists(st.integers(0, 20), max_size=2)
)


def test_a_part_comes_back_in_the_step_in_which_its_last_holder_goes() -> None:
    steps = reclaim_of(stored(OLD, NEW, BASE, parts=CHAIN)).steps()
    told = []
    for ref in refs(BASE, NEW, OLD):
        steps.add(ref)
        told.append((steps.low_bytes, steps.high_bytes))
    assert told == [(0, 0), (4, 4), (125, 125)]
    steps.add(ObjectRef(kind="image", id="sha256:never-seen"))
    assert (steps.low_bytes, steps.high_bytes) == (125, 125)


def test_what_is_not_known_stays_so_in_all_later_steps() -> None:
    steps = reclaim_of(stored(volume("lost", size=None), volume("v"), parts=[part("volume:v", size=7)])).steps()
    assert (steps.low_bytes, steps.high_bytes) == (0, 0)
    for ref in refs(volume("lost"), volume("v")):
        steps.add(ref)
        assert steps.high_bytes is None
    assert steps.low_bytes == 7


@given(any_world, st.data())
@examples(100)
def test_each_step_has_the_total_of_all_up_to_it(world: World, data: st.DataObject) -> None:
    order = permuted(data, world)
    reclaim = predicting(world)
    steps, others = reclaim.steps(), reclaim.steps()
    for count, ref in enumerate(order, start=1):
        steps.add(ref)
        assert (steps.low_bytes, steps.high_bytes) == pair(reclaim.in_order(order[:count]).total)
    for ref in reversed(order):
        others.add(ref)
    assert (others.low_bytes, others.high_bytes) == (steps.low_bytes, steps.high_bytes)


@given(any_world, st.data())
@examples(100)
def test_what_is_freed_on_each_disk_adds_up(world: World, data: st.DataObject) -> None:
    reclaim = predicting(world)
    graph = Survey(world.seen, NOW).layer_graph
    disks = data.draw(st.lists(st.integers(0, 2), min_size=len(graph.parts), max_size=len(graph.parts)))
    steps = reclaim.steps(disks)
    for ref in permuted(data, world):
        steps.add(ref)
        on_disks = [steps.on_disk(disk) for disk in range(3)]
        assert known_sum(one.high_bytes for one in on_disks) == steps.high_bytes
        assert known_sum(one.inodes for one in on_disks) == steps.inodes
        if steps.high_bytes is not None:
            assert sum(one.low_bytes for one in on_disks) <= steps.low_bytes <= steps.high_bytes


def test_a_layer_counts_on_the_disk_that_it_lies_on() -> None:
    seen = stored(OLD, volume("v"), parts=[*CHAIN, part("volume:v", size=7)])
    places = {part.id: number for number, part in enumerate(Survey(seen, NOW).layer_graph.parts)}
    steps = reclaim_of(seen).steps([place == places["volume:v"] for place in places.values()])
    steps.add(ObjectRef(kind="volume", id="v"))
    assert [(steps.on_disk(disk).low_bytes, steps.on_disk(disk).high_bytes) for disk in (0, 1)] == [(0, 0), (7, 7)]


@given(any_world)
@examples(100)
def test_alone_is_the_first_of_an_order_of_one(world: World) -> None:
    reclaim = predicting(world)
    for ref in [ref_of(one) for one in objects_of(world.seen)]:
        alone, first = reclaim.alone(ref), reclaim.in_order([ref]).total
        if ref.kind != "build-cache":
            assert alone == first
        # What a record may hold alone, others may hold as well; in an order that ends with it, it certainly goes.
        assert alone.low_bytes <= first.low_bytes
        assert alone.high_bytes == first.high_bytes


@pytest.mark.parametrize("kind", ["image", "volume"])
def test_what_the_inventory_does_not_hold_gives_back_nothing_alone(kind: str) -> None:
    reclaim = reclaim_of(stored(OLD, parts=CHAIN))
    assert reclaim.alone(msgspec.convert({"kind": kind, "id": "never-seen"}, ObjectRef)) == NOTHING
