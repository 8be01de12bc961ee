"""What holds of every inventory under every policy: against a slow evaluator, and between plans of like policies."""

from collections import Counter
from datetime import datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dockersweep.model.inventory import Image, Inventory, Network, Object, ObjectRef, Volume
from dockersweep.model.naming import objects_of, ref_of
from dockersweep.model.plan import NOTHING, Plan
from dockersweep.model.policy import Keep, LimitSettings, Policy, Protections, Rule
from dockersweep.policy.judging.judge import Judge
from dockersweep.policy.judging.order import ORDER
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.planner import foresee, make_plan, oldest_first
from dockersweep.words.reasons import reason_text
from tests.policy.inventory_strategies import FULL_INVENTORIES, INVENTORIES, SEED
from tests.policy.policy_oracle import Forbidden, going, is_told_as_old_as, judge, way_back
from tests.policy.policy_strategies import AIMED_POLICIES, POLICIES, make_limits, make_protections, make_rule, some
from tests.rig.examples import examples
from tests.rig.inventories import NOW, decisions_of, inventory, plan_of, totals_of

Lost = set[tuple[str, str | None]]
"""Ids of objects that go, and of images each tag that goes, with the image or without it."""


def lost(seen: Inventory, policy: Policy, now: datetime = NOW) -> Lost:
    tags = {one.id: one.tags for one in seen.images}
    gone: Lost = set()
    for one in decisions_of(seen, policy, now):
        if one.verdict == "remove":
            gone |= {(f"{one.kind} {one.id}", tag) for tag in (None, *tags.get(one.id, ()))}
        gone |= {(f"{one.kind} {one.id}", tag) for tag in one.untag}
    return gone


@given(INVENTORIES | FULL_INVENTORIES, POLICIES)
@examples(400)
def test_the_fast_evaluator_says_what_the_slow_one_says(seen: Inventory, policy: Policy) -> None:
    slow = judge(seen, policy, NOW)
    fast = {(one.kind, one.id): one for one in decisions_of(seen, policy, NOW)}
    assert fast.keys() == slow.keys()
    for key, decision in fast.items():
        expected = slow[key]
        assert decision.verdict == expected.verdict, key
        assert frozenset(decision.untag) == expected.untag, key
        assert expected.agrees_with((reason.code, reason.rule) for reason in decision.reasons), key


@given(INVENTORIES | FULL_INVENTORIES, POLICIES | AIMED_POLICIES)
@examples(400)
def test_verdicts_alone_are_those_of_the_decisions(seen: Inventory, policy: Policy) -> None:
    survey = Survey(seen, NOW)
    plan, foreseen = make_plan(survey, policy), foresee(survey, policy)
    decisions = {one.ref: one for one in plan.decisions}
    assert Counter(foreseen.going) == Counter(going(plan.decisions))
    assert survey.reclaim.together(foreseen.going).total == plan.reclaim
    assert foreseen.warnings == plan.warnings
    for one in map(ref_of, seen.volumes):
        assert foreseen.decision_of(one) == decisions[one]
    if policy.target is None:
        ordered = [one.ref for one in plan.removals if one.action == "remove"]
        cases = Judge(survey, policy).decide_removals()
        in_order = oldest_first(cases, survey)
        assert [case.ref for case in in_order] == ordered


@given(INVENTORIES, AIMED_POLICIES)
@some
def test_keep_and_remove_share_the_inventory_out_and_everything_has_its_reasons(
    seen: Inventory, policy: Policy
) -> None:
    plan = plan_of(seen, policy, NOW)
    assert Counter(one.ref for one in plan.decisions) == Counter(map(ref_of, objects_of(seen)))
    assert all(one.reasons for one in plan.decisions)
    assert all(reason_text(reason) and reason.rule for one in plan.decisions for reason in one.reasons)
    removals = [one.ref for one in plan.removals if one.action == "remove"]
    assert Counter(removals) == Counter(going(plan.decisions))
    tags = {one.id: one.tags for one in seen.images}
    for one in plan.decisions:
        assert set(one.untag) < set(tags.get(one.id, ())) or not one.untag
        assert one.verdict == "keep" or not one.untag


@given(INVENTORIES, AIMED_POLICIES)
@some
def test_nothing_goes_that_a_survivor_holds_or_that_is_protected_or_too_young(seen: Inventory, policy: Policy) -> None:
    decisions = {one.ref: one for one in plan_of(seen, policy, NOW).decisions}
    holds = Survey(seen, NOW).holders
    forbidden = Forbidden(seen, policy, NOW)
    for one in objects_of(seen):
        decision = decisions[ref_of(one)]
        if decision.verdict == "keep" and not decision.untag:
            continue
        assert all(decisions[hold.by].verdict == "remove" for hold in holds.get(ref_of(one), ()))
        assert not any(forbidden.to_remove(one))
        youngest = policy.protections.younger_than
        assert youngest is None or is_told_as_old_as(youngest, decision)
        if decision.verdict == "remove":
            assert not any(reason.code == "kept" for reason in decision.reasons)


@given(INVENTORIES, POLICIES, SEED)
@some
def test_another_protection_never_adds_a_removal_or_an_untag(seen: Inventory, policy: Policy, seed: int) -> None:
    ours, more = policy.protections, make_protections(seed)
    both = Protections(
        labels=ours.labels + more.labels,
        names=ours.names + more.names,
        images=ours.images + more.images,
        projects=ours.projects + more.projects,
        services=ours.services + more.services,
        init_containers=ours.init_containers or more.init_containers,
        unseen_services=ours.unseen_services or more.unseen_services,
        younger_than=ours.younger_than or more.younger_than,
    )
    assert lost(seen, replace(policy, protections=both)) <= lost(seen, policy)


def more_kept(rule: Rule, more: Keep) -> Rule:
    """Return a rule that keeps what it kept and what another keep table does; its groups stay as they are."""
    if rule.keep is None:
        return replace(rule, keep=more)
    unset = {field: getattr(more, field) for field in Keep.__struct_fields__ if not getattr(rule.keep, field)}
    return replace(rule, keep=replace(rule.keep, **unset))


@given(INVENTORIES, POLICIES, SEED, SEED)
@some
def test_another_keep_never_adds_a_removal(seen: Inventory, policy: Policy, seed: int, place: int) -> None:
    other = make_rule("more", seed)
    rules = list(policy.rules)
    place %= len(rules) + 1
    before = lost(seen, policy)
    alone = replace(other, remove=None, keep=other.keep or Keep(last=1))
    assert lost(seen, replace(policy, rules=(*rules[:place], alone, *rules[place:]))) <= before
    if place < len(rules) and other.keep is not None and rules[place].kinds == other.kinds:
        rules[place] = more_kept(rules[place], other.keep)
    elif place < len(rules):
        rules[place] = more_kept(rules[place], Keep(last=1, monthly=2))
    assert lost(seen, replace(policy, rules=tuple(rules))) <= before


@given(INVENTORIES, POLICIES, SEED)
@some
def test_a_rule_at_the_end_changes_nothing_of_what_those_before_it_remove(
    seen: Inventory, policy: Policy, seed: int
) -> None:
    last = make_rule("the last", seed)
    last = replace(last, keep=None, remove=last.remove or make_rule("", 0).remove)
    longer = replace(policy, rules=(*policy.rules, last))
    before = [one for one in decisions_of(seen, policy, NOW) if one.verdict == "remove"]
    after = {one.ref: one for one in decisions_of(seen, longer, NOW)}
    assert [after[one.ref] for one in before] == before
    assert lost(seen, policy) <= lost(seen, longer)


def without_order(plan: Plan) -> tuple[object, ...]:
    """Return what a plan says, without the order in which several reasons or holders of one object are told."""
    decisions = [replace(one, reasons=tuple(sorted(one.reasons, key=repr))) for one in plan.decisions]
    removals = [replace(one, after=tuple(sorted(one.after, key=repr))) for one in plan.removals]
    return decisions, removals, plan.reclaim, plan.limits, plan.target


@given(INVENTORIES, AIMED_POLICIES, SEED)
@some
def test_the_order_of_the_input_does_not_matter(seen: Inventory, policy: Policy, seed: int) -> None:
    objects = list(objects_of(seen))
    Random(seed).shuffle(objects)
    mixed = inventory(*objects, engine=seen.engine, own_container=seen.own_container_id)
    mixed = replace(mixed, build_cache=None if seen.build_cache is None else mixed.build_cache, disk=seen.disk)
    mixed = replace(
        mixed, other_disks=seen.other_disks, external=seen.external, services=seen.services, watched=seen.watched
    )
    assert without_order(plan_of(mixed, policy, NOW)) == without_order(plan_of(seen, policy, NOW))


def after_a_perfect_run(seen: Inventory, plan: Plan) -> Inventory:
    """Return what is left: the ledger and the engine know that what a removed container held is no longer used."""
    gone = going(plan.decisions)
    untagged = {one.id: set(one.untag) for one in plan.decisions}
    holds = Survey(seen, NOW).holders
    rest: list[Object] = []
    for one in objects_of(seen):
        if ref_of(one) in gone:
            continue
        released = any(hold.by in gone for hold in holds.get(ref_of(one), ()))
        if isinstance(one, Image):
            one = replace(one, tags=tuple(tag for tag in one.tags if tag not in untagged[one.id]))
        if isinstance(one, Image | Volume | Network) and released:
            first = one.first_seen_at or NOW - timedelta(seconds=1)
            one = replace(one, first_seen_at=first, first_seen_unused_at=NOW)
        if isinstance(one, Volume) and released:
            one = replace(one, free_by_engine=True)
        rest.append(one)
    left = inventory(*rest, engine=seen.engine, own_container=seen.own_container_id)
    cache = None if seen.build_cache is None else left.build_cache
    return replace(left, build_cache=cache, external=seen.external, services=seen.services, watched=seen.watched)


@given(INVENTORIES, POLICIES)
@some
def test_planning_again_after_a_perfect_run_removes_nothing_more(seen: Inventory, policy: Policy) -> None:
    """What the counts of a rule keep it keeps again when only what it did not keep is gone.

    This is not so of versions, where a candidate counts only while there is no release of it, and of Podman, which
    spares a volume while there is one of a longer name.
    """
    seen = replace(seen, engine=replace(seen.engine, flavour="docker"))
    rules = [replace(one, keep=one.keep and replace(one.keep, majors=None, minors=None)) for one in policy.rules]
    policy = replace(policy, rules=tuple(rules))
    left = after_a_perfect_run(seen, plan_of(seen, policy, NOW))
    assert plan_of(left, policy, NOW).removals == ()


@given(INVENTORIES, AIMED_POLICIES)
@some
def test_removals_come_in_order_and_an_untag_step_expects_just_the_tags_left(seen: Inventory, policy: Policy) -> None:
    plan = plan_of(seen, policy, NOW)
    kinds = [ORDER.index(one.kind) for one in plan.removals]
    assert kinds == sorted(kinds)
    tags = {one.id: list(one.tags) for one in seen.images}
    untag = {one.id: list(one.untag) for one in plan.decisions}
    holds = Survey(seen, NOW).holders
    done: set[ObjectRef] = set()
    for step in plan.removals:
        held_by = {hold.by for hold in holds.get(step.ref, ())}
        assert set(step.after) == held_by
        assert held_by <= done
        if step.kind == "image":
            assert step.fingerprint["tags"] == sorted(tags[step.id])
        if step.action == "untag":
            tags[step.id].remove(step.name)
            assert len(tags[step.id]) >= 1
        else:
            assert len(tags.get(step.id, ())) <= 1
            done.add(step.ref)
    for one in seen.images:
        if ref_of(one) not in done:
            assert tags[one.id] == [tag for tag in one.tags if tag not in untag[one.id]]


@given(INVENTORIES, AIMED_POLICIES)
@some
def test_what_comes_back_is_what_its_rows_say_and_no_more_than_there_is(seen: Inventory, policy: Policy) -> None:
    plan = plan_of(seen, policy, NOW)
    total, rows = plan.reclaim, [one.reclaim for one in plan.removals]
    assert sum(row.low_bytes for row in rows) <= total.low_bytes
    assert all(one.reclaim == NOTHING for one in plan.removals if one.action == "untag")
    highs = [row.high_bytes for row in rows]
    if total.high_bytes is not None:
        assert total.low_bytes <= total.high_bytes
        if None not in highs:
            assert total.high_bytes <= sum(high or 0 for high in highs)
    held = totals_of(seen).held_bytes
    # What an engine holds is told without the logs of its containers; what comes back is told with them.
    logs = sum(one.log_bytes or 0 for one in seen.containers)
    if held is not None:
        assert total.low_bytes <= held + logs
        assert total.high_bytes is None or total.high_bytes <= held + logs


@given(INVENTORIES, POLICIES, st.timedeltas(timedelta(0), timedelta(days=800)))
@some
def test_time_alone_never_turns_a_removal_into_a_keep(seen: Inventory, policy: Policy, later: timedelta) -> None:
    """Not even what counts from the newest on: what was dated in the future takes a place when its time has come, and
    nothing gets one back."""
    assert lost(seen, policy) <= lost(seen, policy, NOW + later)


@given(INVENTORIES, POLICIES, SEED.map(make_limits))
@some
def test_a_limit_is_exceeded_just_where_the_plan_is_over_it(
    seen: Inventory, policy: Policy, limits: LimitSettings
) -> None:
    policy = replace(policy, limits=limits)
    plan = plan_of(seen, policy, NOW)
    gone = [one.kind for one in plan.removals if one.action == "remove"]
    tags = sum(len(one.untag) for one in plan.decisions)
    over = policy.limits.objects is not None and len(gone) + tags > policy.limits.objects
    if policy.limits.size_bytes is not None:
        most = plan.reclaim.high_bytes
        over |= bool(gone) and (most is None or most > policy.limits.size_bytes)
    if policy.limits.share_percent is not None:
        for kind in set(gone):
            share = gone.count(kind) / len(list(objects_of(seen, kind)))
            over |= share * 100 > policy.limits.share_percent
    if policy.limits.unrecoverable is not None:
        refs = {one.ref for one in plan.removals if one.action == "remove"}
        removed = [one for one in objects_of(seen) if ref_of(one) in refs]
        lost = [one for one in removed if way_back(seen, policy, NOW, one) == "none"]
        over |= len(lost) > policy.limits.unrecoverable
    assert bool(plan.limits.exceeded) == over
