"""The kubelet's own cases of image garbage collection, given to our planner: the same images go."""

import pytest
from msgspec.structs import replace

from dockersweep.model.inventory import Object
from dockersweep.model.policy import Match, Policy, Protection, Protections, Remove, Rule, Target
from dockersweep.units import Age
from tests.policy.published_gc_cases import KUBELET_CASES, GcCase, SeenImage
from tests.rig.inventories import NOW, container, image, inventory, plan_of

ALL_THERE_IS = 10**15


def settings_of(case: GcCase) -> Policy:
    """The kubelet's settings as a policy."""
    pinned = tuple(Protection(pattern=f"{one.id}:1", source="pinned") for one in case.images if one.pinned)
    rules: tuple[Rule, ...] = ()
    target = None
    if case.max_unused is not None:
        age = Age(months=0, seconds=int(case.max_unused.total_seconds()), text="1m")
        rules = (Rule(name="unused for long", kinds=("image",), match=Match(), remove=Remove(unused_for=age)),)
    else:
        wanted = ALL_THERE_IS if case.wanted_bytes is None else case.wanted_bytes
        youngest = Age(months=0, seconds=int(case.min_age.total_seconds()), text="1m")
        target = Target(free_bytes=wanted, order=("image",), older_than=youngest)
    return Policy(source="the kubelet", protections=Protections(images=pinned), rules=rules, target=target)


def objects(seen: SeenImage) -> list[Object]:
    first = NOW - seen.first_seen_ago
    unused = first if seen.last_used_ago is None else max(first, NOW - seen.last_used_ago)
    made = image(seen.id, f"{seen.id}:1", size=seen.size_bytes, first_seen=first, first_unused=unused)
    if not seen.in_use:
        return [made]
    holder = container(f"of-{seen.id}", "running", image=made.id)
    return [replace(made, first_seen_unused_at=None), holder]


@pytest.mark.parametrize("case", KUBELET_CASES, ids=lambda case: case.source)
def test_what_the_kubelet_deletes_goes(case: GcCase) -> None:
    seen = inventory(*(one for each in case.images for one in objects(each)))
    plan = plan_of(seen, settings_of(case), NOW)
    gone = {one.id.removeprefix("sha256:") for one in plan.decisions if one.verdict == "remove"}
    assert gone == case.deleted
    if case.wanted_bytes is not None:
        assert plan.target is not None
        assert plan.target.reached is case.reached
