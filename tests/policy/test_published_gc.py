"""Published cases of image garbage collection, given to our planner: the same images go."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from dockersweep.model.inventory import Object
from dockersweep.model.policy import Match, Policy, Protection, Protections, Remove, Rule, Target
from dockersweep.units import Age, parse_age
from tests.policy.published_gc_cases import DOCUUM_CASES, KUBELET_CASES, EvictionCase, GcCase, SeenImage
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


EVERYTHING = Rule(
    name="everything", kinds=("image",), match=Match(), remove=Remove(older_than=Age(months=0, seconds=0, text="0s"))
)


@pytest.mark.parametrize("only_target", [False, True], ids=["", "only the target"])
@pytest.mark.parametrize("case", KUBELET_CASES, ids=lambda case: case.source)
def test_what_the_kubelet_deletes_goes(case: GcCase, only_target: bool) -> None:
    seen = inventory(*(one for each in case.images for one in objects(each)))
    policy = settings_of(case)
    if only_target and policy.target is not None:
        # A rule that would remove everything leaves it to the target.
        policy = replace(policy, rules=(EVERYTHING,), only_target=True)
    plan = plan_of(seen, policy, NOW)
    gone = {one.id.removeprefix("sha256:") for one in plan.decisions if one.verdict == "remove"}
    assert gone == case.deleted
    if case.wanted_bytes is not None:
        assert plan.target is not None
        assert plan.target.reached is case.reached


@pytest.mark.parametrize("case", DOCUUM_CASES, ids=lambda case: case.source)
def test_as_many_go_as_space_asks_for_in_the_order_of_docuum(case: EvictionCase) -> None:
    size = 1000
    images = [
        image(one.id, f"{one.id}:1", size=size, parent=one.parent, first_seen=at(one.last_used)) for one in case.images
    ]
    for count in range(len(images) + 1):
        target = Target(free_bytes=count * size, order=("image",), older_than=parse_age("0s"))
        policy = Policy(source="docuum", protections=Protections(), rules=(EVERYTHING,), target=target)
        plan = plan_of(inventory(*images), replace(policy, only_target=True), NOW)
        assert {one.id.removeprefix("sha256:") for one in plan.removals} == set(case.order[:count])


def at(seconds: int) -> datetime:
    return NOW - timedelta(days=1) + timedelta(seconds=seconds)
