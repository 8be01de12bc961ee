"""Why an image frees far less than its size: who holds its layers, and what it would free with them."""

from collections.abc import Sequence

import msgspec
import pytest

from dockersweep.model.inventory import Image, Inventory, Object
from dockersweep.model.naming import ref_of
from dockersweep.model.plan import LayersHeld, Plan, exactly
from dockersweep.model.storage import Part, Storage
from dockersweep.policy.bytes.layer_holders import MOST_COUNTED
from tests.policy.explained import policy_of
from tests.rig.inventories import container, explanation_of, image, inventory, plan_of, record

MEGA = 1_000_000
IMAGES = policy_of('[[rule]]\nname = "old"\nkind = "image"\nmatch.name = "old:*"\nremove.unused_for = "0s"\n')
RECORDS = policy_of('[[rule]]\nname = "cache"\nkind = "build-cache"\neverything = true\nremove.unused_for = "0s"\n')
BOTH = policy_of(
    '[[rule]]\nname = "old"\nkind = "image"\nmatch.name = "old:*"\nremove.unused_for = "0s"\n'
    '[[rule]]\nname = "cache"\nkind = "build-cache"\neverything = true\nremove.unused_for = "0s"\n'
)
OLD = image("old", "old:1")
RECORD, CHILD = record("low"), record("high", "low")
HELD = LayersHeld(by="build-cache", count=2, with_them=exactly(40 * MEGA + 7))


def part(one: str, *needs: str, size: int = 0) -> Part:
    return Part(id=one, needs=needs, low_bytes=size, high_bytes=size, folder=one)


LAYERS = (part("layer:base", size=4 * MEGA), part("layer:app", "layer:base", size=36 * MEGA))
OF_OLD = part("image:sha256:old", "layer:app", size=7)
OF_CACHE = (
    part("build-cache:low", "layer:base"),
    part("build-cache:high", "build-cache:low", "layer:app"),
)


def stored(*objects: Object, parts: Sequence[Part]) -> Inventory:
    return msgspec.structs.replace(inventory(*objects), storage=Storage(base="disk", parts=tuple(parts)))


def held_by_row(plan: Plan) -> dict[str, LayersHeld | None]:
    return {one.name: one.layers_held for one in plan.removals}


def test_an_image_says_which_records_hold_its_layers_and_what_it_would_free_with_them() -> None:
    plan = plan_of(stored(OLD, RECORD, CHILD, parts=(*LAYERS, OF_OLD, *OF_CACHE)), IMAGES)
    assert plan.reclaim == exactly(7)
    assert held_by_row(plan) == {"old:1": HELD}
    assert plan.layers_held == HELD


def test_what_it_would_free_with_the_records_is_what_both_free() -> None:
    seen = stored(OLD, RECORD, CHILD, parts=(*LAYERS, OF_OLD, *OF_CACHE))
    with_them = plan_of(seen, BOTH)
    assert with_them.reclaim == HELD.with_them
    assert held_by_row(with_them) == {"old:1": None, "step low": None, "step high": None}
    assert with_them.layers_held is None


@pytest.mark.parametrize(
    ("holder", "holds"),
    [
        (image("new", "new:1"), part("image:sha256:new", "layer:app", size=7)),
        (container("web", image="gone"), part("container:web", "layer:app")),
    ],
    ids=["another image", "a container of a removed image"],
)
def test_records_are_not_named_where_something_else_holds_the_layers_too(holder: Object, holds: Part) -> None:
    plan = plan_of(stored(OLD, RECORD, CHILD, holder, parts=(*LAYERS, OF_OLD, *OF_CACHE, holds)), IMAGES)
    shared = LayersHeld(by="image", count=1)
    assert held_by_row(plan) == {"old:1": shared if isinstance(holder, Image) else None}
    assert plan.layers_held is None


def test_what_no_list_shows_may_hold_layers_too() -> None:
    lease = part("lease:1", "layer:app")
    plan = plan_of(stored(OLD, RECORD, CHILD, parts=(*LAYERS, OF_OLD, *OF_CACHE, lease)), IMAGES)
    assert held_by_row(plan) == {"old:1": None}


def test_only_what_nothing_else_holds_is_freed_with_the_records() -> None:
    base = image("base", "base:1")
    parts = (*LAYERS, OF_OLD, *OF_CACHE, part("image:sha256:base", "layer:base"))
    plan = plan_of(stored(OLD, base, RECORD, CHILD, parts=parts), IMAGES)
    assert held_by_row(plan) == {"old:1": LayersHeld(by="build-cache", count=1, with_them=exactly(36 * MEGA + 7))}


def test_an_image_that_frees_most_of_its_size_says_nothing() -> None:
    # The base is held by a record, and is a tenth of the image.
    plan = plan_of(stored(OLD, RECORD, parts=(*LAYERS, OF_OLD, OF_CACHE[0])), IMAGES)
    assert plan.reclaim == exactly(36 * MEGA + 7)
    assert held_by_row(plan) == {"old:1": None}


def test_layers_of_less_than_a_megabyte_surprise_nobody() -> None:
    small = (part("layer:base"), part("layer:app", "layer:base", size=MEGA - 1))
    plan = plan_of(stored(OLD, RECORD, CHILD, parts=(*small, OF_OLD, *OF_CACHE)), IMAGES)
    assert plan.reclaim == exactly(7)
    assert held_by_row(plan) == {"old:1": None}


def test_images_that_go_together_hold_nothing_from_each_other() -> None:
    second = image("second", "old:2")
    parts = (*LAYERS, OF_OLD, part("image:sha256:second", "layer:app", size=7))
    plan = plan_of(stored(OLD, second, parts=parts), IMAGES)
    assert held_by_row(plan) == {"old:1": None, "old:2": None}


@pytest.mark.parametrize(("more", "count"), [(MOST_COUNTED - 1, MOST_COUNTED), (MOST_COUNTED, None)])
def test_many_holders_are_not_counted_out(more: int, count: int | None) -> None:
    others = [image(f"new{number}", f"new:{number}") for number in range(more + 1)]
    parts = [part(f"image:sha256:new{number}", "layer:app") for number in range(more + 1)]
    plan = plan_of(stored(OLD, *others, parts=(*LAYERS, OF_OLD, *parts)), IMAGES)
    assert held_by_row(plan) == {"old:1": LayersHeld(by="image", count=count)}


def test_a_record_says_how_many_images_hold_its_layer() -> None:
    own = record("own", size=0)
    parts = (*LAYERS, OF_OLD, *OF_CACHE, part("build-cache:own", size=5 * MEGA))
    plan = plan_of(stored(OLD, RECORD, CHILD, own, parts=parts), RECORDS)
    shared = LayersHeld(by="image", count=1)
    assert held_by_row(plan) == {"step high": shared, "step low": shared, "step own": None}
    assert plan.layers_held is None


def test_explain_tells_it_of_an_object_that_goes_alone() -> None:
    seen = stored(OLD, RECORD, CHILD, parts=(*LAYERS, OF_OLD, *OF_CACHE))
    assert explanation_of(seen, BOTH, ref_of(OLD)).layers_held == HELD
    assert explanation_of(seen, BOTH, ref_of(CHILD)).layers_held == LayersHeld(by="image", count=1)
    # The other record holds this one, and not only its layer.
    assert explanation_of(seen, BOTH, ref_of(RECORD)).layers_held is None


def test_sizes_that_the_engine_tells_name_only_what_is_certain() -> None:
    told = msgspec.structs.replace(OLD, size_bytes=40 * MEGA, shared_bytes=0)
    seen = msgspec.structs.replace(
        inventory(told, record("low", shared=True)),
        storage=Storage(base="lengths", parts=(*LAYERS, OF_OLD)),
    )
    plan = plan_of(seen, IMAGES)
    assert plan.reclaim == exactly(36 * MEGA + 7)
    assert held_by_row(plan) == {"old:1": None}


def test_what_is_freed_by_records_that_go_too_is_no_surprise_either() -> None:
    base = image("base", "base:1")
    parts = (*LAYERS, OF_OLD, *OF_CACHE, part("image:sha256:base", "layer:base"))
    plan = plan_of(stored(OLD, base, RECORD, CHILD, parts=parts), BOTH)
    # The image adds 7 bytes itself, the records after it its layer; the base is a tenth of it.
    assert held_by_row(plan)["old:1"] is None
    assert plan.reclaim == exactly(36 * MEGA + 7)


def test_the_whole_plan_with_the_records_is_all_that_both_free() -> None:
    """A record that holds a layer of an image may be what another build goes on from."""
    built = record("built", "low")
    parts = (
        *LAYERS, OF_OLD, *OF_CACHE, part("snapshot:built", "layer:base", size=9 * MEGA),
        part("build-cache:built", "build-cache:low", "snapshot:built"),
    )  # fmt: skip
    seen = stored(OLD, RECORD, CHILD, built, parts=parts)
    plan = plan_of(seen, IMAGES)
    assert held_by_row(plan) == {"old:1": LayersHeld(by="build-cache", count=3, with_them=exactly(40 * MEGA + 7))}
    assert plan.layers_held == LayersHeld(by="build-cache", count=3, with_them=plan_of(seen, BOTH).reclaim)
    assert plan.layers_held.with_them == exactly(49 * MEGA + 7)


@pytest.mark.parametrize(("in_use", "count"), [("low", 2), ("high", 2), ("beside", 2)])
def test_what_a_build_uses_cannot_be_freed_with_the_records(in_use: str, count: int) -> None:
    seen = stored(
        OLD, record("low", in_use=in_use == "low"), record("high", "low", in_use=in_use == "high"),
        record("beside", in_use=in_use == "beside"), parts=(*LAYERS, OF_OLD, *OF_CACHE),
    )  # fmt: skip
    with_them = HELD.with_them if in_use == "beside" else None
    held = LayersHeld(by="build-cache", count=count, with_them=with_them)
    plan = plan_of(seen, IMAGES)
    assert (held_by_row(plan), plan.layers_held) == ({"old:1": held}, held)
    assert explanation_of(seen, IMAGES, ref_of(OLD)).layers_held == held
