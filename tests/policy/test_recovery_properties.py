"""What holds of the ways back in every plan, whatever is known of the archive."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dockersweep.model.archive_facts import ArchiveFacts, Reading
from dockersweep.model.inventory import Inventory
from dockersweep.model.naming import objects_of, ref_of
from dockersweep.model.plan import Plan
from dockersweep.model.policy import ArchiveSettings, Policy
from dockersweep.policy.judging.recovery import WaysBack
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.planner import make_plan
from tests.policy.inventory_strategies import FULL_INVENTORIES, INVENTORIES, SEED
from tests.policy.policy_oracle import way_back
from tests.policy.policy_strategies import AIMED_POLICIES, ARCHIVES, POLICIES, some
from tests.policy.test_policy_properties import lost
from tests.rig.inventories import NOW

READINGS = (
    Reading(read_from="disk"),
    Reading(read_from="api", text="without ACLs and xattrs"),
    Reading(read_from=None, text="Podman keeps no owners from afar"),
)


def make_facts(seed: int) -> ArchiveFacts:
    """Return what a number stands for."""
    random = Random(seed)
    return ArchiveFacts(
        volumes=random.choice(READINGS),
        mounted_volumes=random.choice(READINGS),
        containers=random.choice(READINGS),
        images=random.choice(READINGS),
        networks=random.choice(READINGS),
        folder="/srv/archive",
        on_engine_disk=random.choice((True, False, None)),
    )


FACTS = st.none() | SEED.map(make_facts)


def planned(seen: Inventory, policy: Policy, facts: ArchiveFacts | None) -> Plan:
    survey = Survey(seen, NOW)
    return make_plan(survey if facts is None else survey.archiving_to(facts), policy)


@given(INVENTORIES | FULL_INVENTORIES, AIMED_POLICIES)
@some
def test_each_removal_has_the_way_back_of_the_slow_evaluator(seen: Inventory, policy: Policy) -> None:
    objects = {ref_of(one): one for one in objects_of(seen)}
    plan = planned(seen, policy, None)
    whole = {one.ref for one in plan.removals if one.action == "remove"}
    for step in plan.removals:
        expected = way_back(seen, policy, NOW, objects[step.ref]) if step.ref in whole else "recreate"
        assert step.recovery is not None
        assert step.recovery.how == expected


@given(INVENTORIES | FULL_INVENTORIES, AIMED_POLICIES, FACTS)
@some
def test_until_stands_just_where_the_archive_forgets_and_a_reference_where_one_can_be_pulled(
    seen: Inventory, policy: Policy, facts: ArchiveFacts | None
) -> None:
    digests = {one.id: one.digests for one in seen.images}
    for step in planned(seen, policy, facts).removals:
        way = step.recovery
        assert way is not None
        assert way.text
        assert (way.until is not None) == (way.how == "archive")
        if way.how == "archive":
            assert policy.archive is not None
            assert way.until == policy.archive.keep_for.after(NOW)
        if way.how == "pull":
            assert way.text in digests[step.id]


@given(INVENTORIES | FULL_INVENTORIES, AIMED_POLICIES, FACTS)
@some
def test_what_goes_into_the_archive_is_counted_once_and_takes_no_more_than_it_has(
    seen: Inventory, policy: Policy, facts: ArchiveFacts | None
) -> None:
    plan = planned(seen, policy, facts)
    archived = {
        one.ref for one in plan.removals if one.action == "remove" and one.recovery and one.recovery.how == "archive"
    }
    if plan.archive is None:
        assert not archived
        return
    assert plan.archive.objects == len(archived) > 0
    assert plan.archive.takes.low_bytes == 0
    sizes = [Survey(seen, NOW).size_of(one) for one in objects_of(seen) if ref_of(one) in archived]
    logs = sum(one.log_bytes or 0 for one in seen.containers)
    if plan.archive.takes.high_bytes is not None and None not in sizes:
        assert plan.archive.takes.high_bytes <= sum(size or 0 for size in sizes) + logs + 20_000 * len(archived)


@given(INVENTORIES | FULL_INVENTORIES, AIMED_POLICIES, FACTS)
@some
def test_with_only_recoverable_nothing_is_lost(seen: Inventory, policy: Policy, facts: ArchiveFacts | None) -> None:
    policy = replace(policy, only_recoverable=True, limits=replace(policy.limits, unrecoverable=0))
    plan = planned(seen, policy, facts)
    assert all(step.recovery and step.recovery.how != "none" for step in plan.removals)
    assert not any("recovered" in text for text in plan.limits.exceeded)


@given(INVENTORIES | FULL_INVENTORIES, POLICIES)
@some
def test_only_recoverable_never_adds_a_removal_or_an_untag(seen: Inventory, policy: Policy) -> None:
    assert lost(seen, replace(policy, only_recoverable=True)) <= lost(seen, replace(policy, only_recoverable=False))


@given(INVENTORIES | FULL_INVENTORIES, AIMED_POLICIES, ARCHIVES)
@some
def test_an_archive_alone_changes_nothing_of_what_goes(
    seen: Inventory, policy: Policy, archive: ArchiveSettings
) -> None:
    policy = replace(policy, only_recoverable=False)
    with_one, without = replace(policy, archive=archive), replace(policy, archive=None)
    assert lost(seen, with_one) == lost(seen, without)
    assert planned(seen, with_one, None).reclaim == planned(seen, without, None).reclaim


@given(INVENTORIES | FULL_INVENTORIES, POLICIES, FACTS)
@some
def test_an_archive_takes_no_way_back_away(seen: Inventory, policy: Policy, facts: ArchiveFacts | None) -> None:
    survey = Survey(seen, NOW) if facts is None else Survey(seen, NOW).archiving_to(facts)
    before, after = WaysBack(survey, replace(policy, archive=None)), WaysBack(survey, policy)
    for one in objects_of(seen):
        assert after.of(one).how != "none" or before.of(one).how == "none"


@given(INVENTORIES | FULL_INVENTORIES, AIMED_POLICIES, ARCHIVES, FACTS)
@some
def test_a_target_is_reached_by_what_the_archive_leaves_of_what_is_freed(
    seen: Inventory, policy: Policy, archive: ArchiveSettings, facts: ArchiveFacts | None
) -> None:
    plan = planned(seen, replace(policy, archive=archive), facts)
    if plan.target is None or not plan.target.reached or not plan.target.begins or plan.archive is None:
        return
    if plan.archive.on_engine_disk is False or plan.target.disks:
        return
    assert plan.archive.takes.high_bytes is not None
    assert plan.reclaim.low_bytes - plan.archive.takes.high_bytes >= (plan.target.wanted_bytes or 0)
