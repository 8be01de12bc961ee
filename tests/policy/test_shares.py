"""The rows of the disk report: each byte in one of them, and nothing frees more than there is."""

from collections.abc import Iterable

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.model.inventory import Image, Inventory, Object
from dockersweep.model.naming import id_of, kind_of, objects_of
from dockersweep.model.plan import Interval
from dockersweep.model.policy import Policy
from dockersweep.model.report import Report
from dockersweep.model.storage import Part, SizeBase, Storage
from tests.policy.inventory_strategies import FULL_INVENTORIES, INVENTORIES
from tests.policy.policy_strategies import AIMED_POLICIES, POLICIES
from tests.rig.examples import examples
from tests.rig.inventories import container, image, inventory, record, report_of, volume

LAYERS = [f"layer:{number}" for number in range(8)]


@st.composite
def stored(draw: st.DrawFn) -> Inventory:
    """Images, containers and records on layers that depend on others, on a disk that was read, or not."""
    below = st.sets(st.sampled_from(LAYERS), max_size=2)
    needs: dict[str, set[str]] = {
        layer: draw(st.sets(st.sampled_from(LAYERS[:number]), max_size=2)) if number else set()
        for number, layer in enumerate(LAYERS)
    }
    objects: list[Object] = [image(name, *draw(st.sampled_from([(), (f"{name}:1",)]))) for name in "abc"]
    for name in "de":
        state = draw(st.sampled_from(["running", "exited"]))
        objects.append(container(name, state, image=draw(st.sampled_from(["sha256:a", "sha256:lost"])), logs=3))
    objects += [record("r", shared=True), record("s", "r"), volume("v")]
    for one in objects:
        needs[f"{kind_of(one)}:{id_of(one)}"] = set() if kind_of(one) == "volume" else draw(below)
    needs["build-cache:s"].add("build-cache:r")
    needs["lease:1"] = draw(below)
    sizes = {one: draw(st.sampled_from([0, 7, 100, 5000])) for one in needs}
    unknown = draw(st.sampled_from([*[None] * 40, *needs]))
    parts = tuple(
        Part(id=one, needs=tuple(held), low_bytes=0 if one == unknown else sizes[one],
             high_bytes=None if one == unknown else sizes[one])
        for one, held in needs.items()
    )  # fmt: skip
    base: SizeBase = draw(st.sampled_from(["disk", "disk", "lengths"]))
    return msgspec.structs.replace(inventory(*objects), storage=Storage(base=base, parts=parts))


def reached(seen: Inventory, starts: Iterable[str]) -> set[str]:
    """What these parts depend on, and they themselves."""
    assert seen.storage is not None
    needs = {part.id: part.needs for part in seen.storage.parts}
    found: set[str] = set()
    waiting = list(starts)
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += needs[one]
    return found


def is_within(part: Interval, whole: Interval) -> bool:
    is_below = whole.high_bytes is None or (part.high_bytes is not None and part.high_bytes <= whole.high_bytes)
    return part.low_bytes <= whole.low_bytes and is_below


def rows_are_within(told: Report) -> bool:
    known = [row for row in told.shares if row.is_known]
    return all(is_within(row.reclaimable, row.unused) and is_within(row.unused, row.size) for row in known)


@given(INVENTORIES | FULL_INVENTORIES | stored(), POLICIES | AIMED_POLICIES)
@examples(400)
def test_nothing_frees_more_than_all_unused_and_that_no_more_than_there_is(seen: Inventory, policy: Policy) -> None:
    told = report_of(seen, policy, None)
    assert rows_are_within(told)
    assert is_within(told.reclaimable, told.unused)


@given(stored(), POLICIES | AIMED_POLICIES)
@examples(200)
def test_the_rows_of_a_disk_that_was_read_are_all_that_objects_take_each_part_once(
    seen: Inventory, policy: Policy
) -> None:
    assert seen.storage is not None
    told = report_of(seen, policy, None)
    sizes = {part.id: part.high_bytes for part in seen.storage.parts}
    if seen.storage.base == "lengths" or None in sizes.values():
        return
    own = [f"{kind_of(one)}:{id_of(one)}" for one in objects_of(seen)]
    assert sum(row.size.low_bytes for row in told.shares) == sum(sizes[one] or 0 for one in reached(seen, own))
    images = reached(seen, [f"image:{one.id}" for one in objects_of(seen) if isinstance(one, Image)])
    both = images & reached(seen, ["build-cache:r", "build-cache:s"])
    rows = {row.share: row for row in told.shares}
    assert rows["shared"].size.low_bytes == sum(sizes[one] or 0 for one in both)
    assert rows["image"].size.low_bytes == sum(sizes[one] or 0 for one in images - both)
    assert sum(row.reclaimable.low_bytes for row in told.shares) == told.reclaimable.low_bytes
    assert sum(row.unused.low_bytes for row in told.shares) == told.unused.low_bytes
