"""When builds last used images, by records of the build cache and the layers that both have."""

import pytest
from msgspec.structs import replace

from dockersweep.model.inventory import BuildCacheRecord, Inventory, ObjectRef
from dockersweep.model.policy import Remove, Rule
from dockersweep.model.storage import Part, Storage
from dockersweep.policy.judging.build_uses import build_uses
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.units import parse_age
from dockersweep.words.reasons import reason_text
from tests.rig.inventories import NOW, ago, decisions_of, image, inventory, record

BASE, APP = ObjectRef(kind="image", id="sha256:base"), ObjectRef(kind="image", id="sha256:app")


def part(own: str, *needs: str) -> Part:
    return Part(id=own, needs=needs, high_bytes=0)


def built(*steps: BuildCacheRecord, prefix: str = "layer") -> Inventory:
    """An image app:1 of three layers on base:1 of two, another image, and the records of a build of app:1."""
    layers = [part(f"{prefix}:l1")]
    layers += [part(f"{prefix}:l{number}", f"{prefix}:l{number - 1}") for number in (2, 3)]
    records = (record("r1", last_used=ago(days=9)), record("r2", "r1", last_used=ago(days=9)), *steps)
    seen = inventory(
        image("base", "base:1", first_seen=ago(days=90)),
        image("app", "app:1", first_seen=ago(days=90)),
        image("other", "other:1", first_seen=ago(days=90)),
        *records,
    )
    parts = (
        *layers,
        part(f"{prefix}:o1"),
        part("image:sha256:base", "blob:b", f"{prefix}:l2"),
        part("image:sha256:app", f"{prefix}:l3"),
        part("image:sha256:other", f"{prefix}:o1"),
        *(part(f"build-cache:r{number}", f"{prefix}:l{number}") for number in (1, 2, 3)),
    )
    return replace(seen, storage=Storage(base="disk", parts=parts))


STEP = record("r3", "r2", last_used=ago(hours=3))


def test_a_step_that_stands_on_all_layers_of_an_image_is_a_use_of_it() -> None:
    assert build_uses(built(STEP)) == {"sha256:base": ago(hours=3)}
    # So containerd's store names layers.
    assert build_uses(built(STEP, prefix="snapshot")) == {"sha256:base": ago(hours=3)}


def test_the_record_of_its_own_top_layer_says_nothing() -> None:
    """Builds that differ in a label alone leave images of the same layers, of which none is the base of another."""
    assert build_uses(built()) == {}


def test_the_latest_of_several_builds_counts_through_steps_between() -> None:
    steps = (replace(STEP, last_used_at=ago(days=5)), record("r4", "r3", last_used=ago(hours=1)))
    assert build_uses(built(*steps)) == {"sha256:base": ago(hours=1), "sha256:app": ago(hours=1)}


def test_where_layers_are_not_told_nothing_is_known() -> None:
    assert build_uses(replace(built(STEP), storage=None)) == {}
    assert build_uses(replace(built(STEP), build_cache=None)) == {}
    assert not Survey(replace(built(STEP), storage=None), NOW).watch.sees_builds
    assert Survey(built(STEP), NOW).watch.sees_builds


def test_an_image_that_a_build_began_from_stays_and_its_neighbour_goes() -> None:
    policy = policy_from_flags(PolicyFlags(all_images=True), DEFAULT_POLICY)
    decided = {one.ref: one for one in decisions_of(built(STEP), policy)}
    assert (decided[BASE].verdict, decided[BASE].age_seconds) == ("keep", 3 * 3600)
    assert decided[APP].verdict == "remove"


@pytest.mark.parametrize("are_seen", [True, False])
def test_what_goes_as_unused_says_where_a_build_would_not_have_been_seen(are_seen: bool) -> None:
    rule = Rule(name="unused", kinds=("image",), remove=Remove(unused_for=parse_age("7d")))
    seen = built(STEP) if are_seen else replace(built(STEP), storage=None)
    decided = {one.ref: one for one in decisions_of(seen, replace(DEFAULT_POLICY, rules=(rule,)))}
    assert decided[APP].verdict == "remove"
    assert ("uses by builds not seen" in reason_text(decided[APP].reasons[0])) is not are_seen
