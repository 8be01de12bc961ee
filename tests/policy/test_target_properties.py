"""What holds of every space target: it takes no more than it must, and the least recently used first."""

from math import inf

from hypothesis import given
from msgspec.structs import replace

from dockersweep.model.inventory import KINDS, Image, Inventory, Object, Volume
from dockersweep.model.naming import kind_of, objects_of, ref_of
from dockersweep.model.plan import Decision, Plan
from dockersweep.model.policy import Policy, Target
from dockersweep.policy.judging.survey import Survey
from tests.policy.inventory_strategies import FULL_INVENTORIES, VOLUMES_DISK
from tests.policy.policy_oracle import Forbidden, going, is_told_as_old_as
from tests.policy.policy_strategies import LENIENT_POLICIES, TARGETS, some
from tests.rig.inventories import NOW, plan_of, reclaim_of


def for_space(plan: Plan) -> list[Decision]:
    return [one for one in plan.decisions if any(reason.code == "space" for reason in one.reasons)]


def enough_without(plan: Plan) -> list[Decision]:
    return [one for one in plan.decisions if any(reason.code == "enough" for reason in one.reasons)]


def come_back(seen: Inventory, removed: list[Decision]) -> float:
    """Return how much may come back at the most: without end where that is not known."""
    high = reclaim_of(seen).in_order([one.ref for one in removed]).total.high_bytes
    return inf if high is None else high


def short_disks(plan: Plan) -> list[tuple[str | None, int | None]]:
    """Return the disks that are short of space, with what is wanted on each; None is all that there are."""
    assert plan.target is not None
    if not plan.target.disks:
        return [(None, plan.target.wanted_bytes)] if plan.target.begins else []
    return [(one.disk, one.wanted_bytes) for one in plan.target.disks if one.begins]


def lies_on(disk: str | None, seen: Object) -> bool:
    """Whether an object lies on a disk: only local volumes have one of their own here."""
    is_volume = isinstance(seen, Volume) and seen.driver == "local"
    return disk is None or is_volume == (disk == VOLUMES_DISK)


def phase_of(policy: Policy, seen: Object) -> int:
    """Return in which turn an object may go for space."""
    assert policy.target is not None
    spared = isinstance(seen, Image) and not seen.in_registry and policy.target.spare_registry_less == "last"
    return len(KINDS) if spared else policy.target.order.index(kind_of(seen))


@given(FULL_INVENTORIES, LENIENT_POLICIES, TARGETS)
@some
def test_a_target_takes_no_more_than_it_must_and_nothing_that_is_spared(
    seen: Inventory, policy: Policy, target: Target
) -> None:
    without = plan_of(seen, policy, NOW)
    policy = replace(policy, target=target)
    plan = plan_of(seen, policy, NOW)
    assert plan.target is not None
    assert going(without.decisions) <= going(plan.decisions)
    chosen = for_space(plan)
    # What only they held may go by a rule then.
    released = going(plan.decisions) - going(without.decisions) - {one.ref for one in chosen}
    assert {one.ref for one in chosen} <= going(plan.decisions) - going(without.decisions)
    codes = [{reason.code for reason in one.reasons} for one in plan.decisions if one.ref in released]
    assert all(codes_of_one >= {"old-enough", "released"} for codes_of_one in codes)
    if not plan.target.begins:
        assert not chosen
        return
    objects = {ref_of(one): one for one in objects_of(seen)}
    forbidden = Forbidden(seen, policy, NOW)
    for one in chosen:
        own = objects[one.ref]
        assert one.kind in target.order
        assert target.spare_registry_less != "never" or not isinstance(own, Image) or own.in_registry
        assert not any(forbidden.to_remove(own))
        assert not any(forbidden.keeps(own, unit) for unit in getattr(own, "tags", ()) or (None,))
        assert is_told_as_old_as(target.older_than, one)
    for disk, wanted in short_disks(plan):
        assert wanted is not None
        there = {one.ref for one in plan.decisions if lies_on(disk, objects[one.ref])}
        removed = [one for one in plan.decisions if one.verdict == "remove" and one.ref in there]
        if any(one.ref in there for one in enough_without(plan)):
            assert come_back(seen, removed) >= wanted
        chosen_there = [one for one in chosen if one.ref in there]
        if chosen_there and not released:
            # The last of them holds none of the others, and is of the last turn that took anything.
            falling_short = [
                one for one in chosen_there if come_back(seen, [two for two in removed if two is not one]) < wanted
            ]
            last = max(phase_of(policy, objects[one.ref]) for one in chosen_there)
            assert any(phase_of(policy, objects[one.ref]) == last for one in falling_short)
    # Nothing goes for a disk on which it does not lie.
    assert all(any(lies_on(disk, objects[one.ref]) for disk, _ in short_disks(plan)) for one in chosen)


@given(FULL_INVENTORIES, LENIENT_POLICIES, TARGETS)
@some
def test_the_least_recently_used_goes_first(seen: Inventory, policy: Policy, target: Target) -> None:
    policy = replace(policy, target=target)
    plan = plan_of(seen, policy, NOW)
    objects = {ref_of(one): one for one in objects_of(seen)}
    chosen = {one.ref: one for one in for_space(plan)}
    holds = Survey(seen, NOW).holders
    for stays in enough_without(plan):
        ref = stays.ref
        if any(hold.by in chosen for hold in holds.get(ref, ())):
            # What held it went for space too, so it could not go before that.
            continue
        for one in chosen.values():
            same_turn = phase_of(policy, objects[ref]) == phase_of(policy, objects[one.ref])
            if same_turn and one.kind == stays.kind:
                assert one.age_seconds is not None
                assert stays.age_seconds is not None
                assert one.age_seconds >= stays.age_seconds
