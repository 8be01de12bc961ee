"""What holds of every inventory under every policy: against a slow evaluator, and between plans of like policies."""

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from math import inf
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dockersweep.engine.client import DiskUsage, ImageTags, UsagePart
from dockersweep.engine.executor import carry_out
from dockersweep.engine.patience import Patience
from dockersweep.engine.removal import Hand
from dockersweep.engine.removal_answer import RemovalAnswer
from dockersweep.engine.stopping import StopRequest
from dockersweep.model.inventory import KINDS, Container, Image, Inventory, Kind, Network, Object, Service, Volume
from dockersweep.model.naming import kind_of, objects_of, ref_of
from dockersweep.model.outcome import Outcome
from dockersweep.model.plan import NOTHING, Decision, ObjectRef, Plan, Removal
from dockersweep.model.policy import Keep, LimitSettings, Policy, Protections, Rule, Target
from dockersweep.policy.order import ORDER
from dockersweep.policy.planner import make_plan
from dockersweep.policy.reclaim import Reclaim
from dockersweep.policy.references import find_holds
from dockersweep.policy.rules import evaluate
from dockersweep.policy.saved_plan import what_may_go
from dockersweep.policy.totals import Totals
from dockersweep.units import Age
from tests.inventories import NOW, inventory
from tests.policy_oracle import Forbidden, is_as_old, judge
from tests.policy_strategies import (
    FULL_INVENTORIES,
    INVENTORIES,
    LENIENT_POLICIES,
    POLICIES,
    SEED,
    make_limits,
    make_protections,
    make_rule,
    make_target,
)

Lost = set[tuple[str, str | None]]
"""Ids of objects that go, and of images each tag that goes, with the image or without it."""

some = settings(max_examples=100)
TARGETS = SEED.map(make_target)


def going(decisions: tuple[Decision, ...]) -> set[ObjectRef]:
    return {ref_of_decision(one) for one in decisions if one.verdict == "remove"}


def ref_of_decision(decision: Decision) -> ObjectRef:
    return ObjectRef(kind=decision.kind, id=decision.id)


def is_told_as_old_as(age: Age, decision: Decision) -> bool:
    if age.is_zero or decision.age_seconds is None:
        return age.is_zero
    return is_as_old(age, NOW - timedelta(seconds=decision.age_seconds), NOW) is None


def lost(seen: Inventory, policy: Policy, now: datetime = NOW) -> Lost:
    tags = {one.id: one.tags for one in seen.images}
    gone: Lost = set()
    for one in evaluate(seen, policy, now):
        if one.verdict == "remove":
            gone |= {(f"{one.kind} {one.id}", tag) for tag in (None, *tags.get(one.id, ()))}
        gone |= {(f"{one.kind} {one.id}", tag) for tag in one.untag}
    return gone


@given(INVENTORIES | FULL_INVENTORIES, POLICIES)
@settings(max_examples=400)
def test_the_fast_evaluator_says_what_the_slow_one_says(seen: Inventory, policy: Policy) -> None:
    slow = judge(seen, policy, NOW)
    fast = {(one.kind, one.id): one for one in evaluate(seen, policy, NOW)}
    assert fast.keys() == slow.keys()
    for key, decision in fast.items():
        expected = slow[key]
        assert decision.verdict == expected.verdict, key
        assert frozenset(decision.untag) == expected.untag, key
        assert expected.agrees_with((reason.code, reason.rule) for reason in decision.reasons), key


@given(INVENTORIES, POLICIES, st.none() | TARGETS)
@some
def test_keep_and_remove_share_the_inventory_out_and_everything_has_its_reasons(
    seen: Inventory, policy: Policy, target: Target | None
) -> None:
    plan = make_plan(seen, replace(policy, target=target), NOW)
    assert Counter(map(ref_of_decision, plan.decisions)) == Counter(map(ref_of, objects_of(seen)))
    assert all(one.reasons for one in plan.decisions)
    assert all(reason.text and reason.rule for one in plan.decisions for reason in one.reasons)
    removals = [ObjectRef(kind=one.kind, id=one.id) for one in plan.removals if one.action == "remove"]
    assert Counter(removals) == Counter(going(plan.decisions))
    tags = {one.id: one.tags for one in seen.images}
    for one in plan.decisions:
        assert set(one.untag) < set(tags.get(one.id, ())) or not one.untag
        assert one.verdict == "keep" or not one.untag


@given(INVENTORIES, POLICIES, st.none() | TARGETS)
@some
def test_nothing_goes_that_a_survivor_holds_or_that_is_protected_or_too_young(
    seen: Inventory, policy: Policy, target: Target | None
) -> None:
    policy = replace(policy, target=target)
    decisions = {ref_of_decision(one): one for one in make_plan(seen, policy, NOW).decisions}
    holds = find_holds(seen, NOW)
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
    before = [one for one in evaluate(seen, policy, NOW) if one.verdict == "remove"]
    after = {ref_of_decision(one): one for one in evaluate(seen, longer, NOW)}
    assert [after[ref_of_decision(one)] for one in before] == before
    assert lost(seen, policy) <= lost(seen, longer)


def without_order(plan: Plan) -> tuple[object, ...]:
    """Return what a plan says, without the order in which several reasons or holders of one object are told."""
    decisions = [replace(one, reasons=tuple(sorted(one.reasons, key=repr))) for one in plan.decisions]
    removals = [replace(one, after=tuple(sorted(one.after, key=repr))) for one in plan.removals]
    return decisions, removals, plan.reclaim, plan.limits, plan.target


@given(INVENTORIES, POLICIES, st.none() | TARGETS, SEED)
@some
def test_the_order_of_the_input_does_not_matter(
    seen: Inventory, policy: Policy, target: Target | None, seed: int
) -> None:
    policy = replace(policy, target=target)
    objects = list(objects_of(seen))
    Random(seed).shuffle(objects)
    mixed = inventory(*objects, engine=seen.engine, own_container=seen.own_container_id)
    mixed = replace(mixed, build_cache=None if seen.build_cache is None else mixed.build_cache, disk=seen.disk)
    mixed = replace(mixed, external=seen.external, services=seen.services)
    assert without_order(make_plan(mixed, policy, NOW)) == without_order(make_plan(seen, policy, NOW))


def after_a_perfect_run(seen: Inventory, plan: Plan) -> Inventory:
    """Return what is left: the ledger and the engine know that what a removed container held is no longer used."""
    gone = going(plan.decisions)
    untagged = {one.id: set(one.untag) for one in plan.decisions}
    holds = find_holds(seen, NOW)
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
    return replace(left, build_cache=cache, external=seen.external, services=seen.services)


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
    left = after_a_perfect_run(seen, make_plan(seen, policy, NOW))
    assert make_plan(left, policy, NOW).removals == ()


@given(INVENTORIES, POLICIES, st.none() | TARGETS)
@some
def test_removals_come_in_order_and_an_untag_step_expects_just_the_tags_left(
    seen: Inventory, policy: Policy, target: Target | None
) -> None:
    plan = make_plan(seen, replace(policy, target=target), NOW)
    kinds = [ORDER.index(one.kind) for one in plan.removals]
    assert kinds == sorted(kinds)
    tags = {one.id: list(one.tags) for one in seen.images}
    untag = {one.id: list(one.untag) for one in plan.decisions}
    holds = find_holds(seen, NOW)
    done: set[ObjectRef] = set()
    for step in plan.removals:
        held_by = {hold.by for hold in holds.get(ObjectRef(kind=step.kind, id=step.id), ())}
        assert set(step.after) == held_by
        assert held_by <= done
        if step.kind == "image":
            assert step.fingerprint["tags"] == sorted(tags[step.id])
        if step.action == "untag":
            tags[step.id].remove(step.name)
            assert len(tags[step.id]) >= 1
        else:
            assert len(tags.get(step.id, ())) <= 1
            done.add(ObjectRef(kind=step.kind, id=step.id))
    for one in seen.images:
        if ref_of(one) not in done:
            assert tags[one.id] == [tag for tag in one.tags if tag not in untag[one.id]]


@given(INVENTORIES, POLICIES, st.none() | TARGETS)
@some
def test_what_comes_back_is_what_its_rows_say_and_no_more_than_there_is(
    seen: Inventory, policy: Policy, target: Target | None
) -> None:
    plan = make_plan(seen, replace(policy, target=target), NOW)
    total, rows = plan.reclaim, [one.reclaim for one in plan.removals]
    assert sum(row.low_bytes for row in rows) <= total.low_bytes
    assert all(one.reclaim == NOTHING for one in plan.removals if one.action == "untag")
    highs = [row.high_bytes for row in rows]
    if total.high_bytes is not None:
        assert total.low_bytes <= total.high_bytes
        if None not in highs:
            assert total.high_bytes <= sum(high or 0 for high in highs)
    held = Totals(seen).held_bytes
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
    plan = make_plan(seen, policy, NOW)
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
    assert bool(plan.limits.exceeded) == over


def for_space(plan: Plan) -> list[Decision]:
    return [one for one in plan.decisions if any(reason.code == "space" for reason in one.reasons)]


def enough_without(plan: Plan) -> list[Decision]:
    return [one for one in plan.decisions if any(reason.code == "enough" for reason in one.reasons)]


def come_back(seen: Inventory, removed: list[Decision]) -> float:
    """Return how much may come back at the most: without end where that is not known."""
    high = Reclaim(seen).in_order([ref_of_decision(one) for one in removed]).total.high_bytes
    return inf if high is None else high


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
    without = make_plan(seen, policy, NOW)
    policy = replace(policy, target=target)
    plan = make_plan(seen, policy, NOW)
    assert plan.target is not None
    assert going(without.decisions) <= going(plan.decisions)
    chosen = for_space(plan)
    # What only they held may go by a rule then.
    released = going(plan.decisions) - going(without.decisions) - set(map(ref_of_decision, chosen))
    assert set(map(ref_of_decision, chosen)) <= going(plan.decisions) - going(without.decisions)
    assert all(
        {reason.code for reason in one.reasons} >= {"old-enough", "released"}
        for one in plan.decisions
        if ref_of_decision(one) in released
    )
    if not plan.target.begins:
        assert not chosen
        return
    wanted = plan.target.wanted_bytes
    assert wanted is not None
    objects = {ref_of(one): one for one in objects_of(seen)}
    forbidden = Forbidden(seen, policy, NOW)
    for one in chosen:
        own = objects[ref_of_decision(one)]
        assert one.kind in target.order
        assert target.spare_registry_less != "never" or not isinstance(own, Image) or own.in_registry
        assert not any(forbidden.to_remove(own))
        assert not any(forbidden.keeps(own, unit) for unit in getattr(own, "tags", ()) or (None,))
        assert is_told_as_old_as(target.older_than, one)
    removed = [one for one in plan.decisions if one.verdict == "remove"]
    if enough_without(plan):
        assert come_back(seen, removed) >= wanted
    if chosen and not released:
        # The last of them holds none of the others, and is of the last turn that took anything.
        falling_short = [
            one for one in chosen if come_back(seen, [other for other in removed if other is not one]) < wanted
        ]
        last = max(phase_of(policy, objects[ref_of_decision(one)]) for one in chosen)
        assert any(phase_of(policy, objects[ref_of_decision(one)]) == last for one in falling_short)


@given(FULL_INVENTORIES, LENIENT_POLICIES, TARGETS)
@some
def test_the_least_recently_used_goes_first(seen: Inventory, policy: Policy, target: Target) -> None:
    policy = replace(policy, target=target)
    plan = make_plan(seen, policy, NOW)
    objects = {ref_of(one): one for one in objects_of(seen)}
    chosen = {ref_of_decision(one): one for one in for_space(plan)}
    holds = find_holds(seen, NOW)
    for stays in enough_without(plan):
        ref = ref_of_decision(stays)
        if any(hold.by in chosen for hold in holds.get(ref, ())):
            # What held it went for space too, so it could not go before that.
            continue
        for one in chosen.values():
            same_turn = phase_of(policy, objects[ref]) == phase_of(policy, objects[ref_of_decision(one)])
            if same_turn and one.kind == stays.kind:
                assert one.age_seconds is not None
                assert stays.age_seconds is not None
                assert one.age_seconds >= stays.age_seconds


class RecordingEngine:
    """An engine that holds an inventory, refuses what Docker refuses, and writes down what it is asked to remove."""

    tells_usage_in_parts = True

    def __init__(self, seen: Inventory) -> None:
        self.takes_a_prefix_for_a_volume = self.guards_networks_by_name = seen.engine.flavour == "podman"
        self.asked: list[tuple[Kind, str, str, str]] = []
        self.recorded: list[tuple[Kind, str, str, str]] = []
        self._there = {ref_of(one): one for one in objects_of(seen)}
        self._tags = {one.id: list(one.tags) for one in seen.images}
        self._lock = threading.Lock()

    def _of_kind(self, kind: Kind) -> Iterator[Object]:
        return (one for ref, one in list(self._there.items()) if ref.kind == kind)

    def volumes(self) -> tuple[tuple[Volume, ...], tuple[str, ...]]:
        return tuple(one for one in self._of_kind("volume") if isinstance(one, Volume)), ()

    def containers(self) -> tuple[Container, ...]:
        return tuple(one for one in self._of_kind("container") if isinstance(one, Container))

    def container(self, container_id: str) -> Container | None:
        one = self._there.get(ObjectRef(kind="container", id=container_id))
        return one if isinstance(one, Container) else None

    def image(self, reference: str) -> ImageTags | None:
        for image_id, tags in list(self._tags.items()):
            if reference == image_id or reference in tags:
                return ImageTags(id=image_id, tags=tuple(tags))
        return None

    def volume(self, name: str) -> Volume | None:
        one = self._there.get(ObjectRef(kind="volume", id=name))
        return one if isinstance(one, Volume) else None

    def networks(self) -> tuple[Network, ...]:
        return tuple(one for one in self._of_kind("network") if isinstance(one, Network))

    def network(self, reference: str) -> Network | None:
        by_name = [one for one in self.networks() if one.name == reference]
        return next((one for one in self.networks() if one.id == reference), by_name[0] if by_name else None)

    def disk_usage(self, part: UsagePart | None, timeout_seconds: float) -> DiskUsage:
        return DiskUsage(build_cache=tuple(self._of_kind("build-cache")))  # type: ignore[arg-type]

    @property
    def mounts_images(self) -> bool:
        return True

    def volume_names(self, beginning: str) -> tuple[str, ...]:
        return tuple(ref.id for ref in list(self._there) if ref.kind == "volume" and ref.id.startswith(beginning))

    @property
    def removal_seconds(self) -> float:
        return 900

    def check_back(self) -> None:
        pass

    def sending(self, removal: Removal) -> None:
        asked = (removal.kind, removal.id, removal.action, removal.name if removal.action == "untag" else "")
        assert asked not in self.asked
        self.recorded.append(asked)

    def ended(self, removal: Removal, outcome: Outcome) -> None:
        pass

    def failed_inside(self, error: Exception) -> None:
        raise error

    def services(self) -> tuple[Service, ...]:
        return ()

    def remove_container(self, container_id: str) -> RemovalAnswer:
        return self._remove("container", container_id)

    def remove_image(self, image_id: str, is_nameless: bool) -> RemovalAnswer:
        assert not (is_nameless and self._tags[image_id])
        if len(self._tags[image_id]) > 1:
            return RemovalAnswer("in-use", "it has several tags")
        if any(isinstance(one, Image) and one.parent_id == image_id for one in self._of_kind("image")):
            return RemovalAnswer("in-use", "it has children")
        del self._tags[image_id]
        return self._remove("image", image_id)

    def untag_image(self, tag: str, image_id: str) -> RemovalAnswer:
        with self._lock:
            self.asked.append(("image", image_id, "untag", tag))
            self._tags[image_id].remove(tag)
        return RemovalAnswer("removed")

    def remove_volume(self, name: str) -> RemovalAnswer:
        return self._remove("volume", name)

    def remove_network(self, reference: str) -> RemovalAnswer:
        meant = self.network(reference)
        assert meant is not None
        return self._remove("network", meant.id)

    def prune_build_cache(self, record_ids: tuple[str, ...]) -> RemovalAnswer:
        for one in record_ids:
            self._remove("build-cache", one)
        return RemovalAnswer("removed", deleted=record_ids)

    def _remove(self, kind: Kind, own_id: str) -> RemovalAnswer:
        with self._lock:
            self.asked.append((kind, own_id, "remove", ""))
            del self._there[ObjectRef(kind=kind, id=own_id)]
        return RemovalAnswer("removed")


@given(INVENTORIES, POLICIES, st.none() | TARGETS)
@some
def test_an_engine_receives_the_removals_that_the_plan_shows_and_no_others(
    seen: Inventory, policy: Policy, target: Target | None
) -> None:
    plan = make_plan(seen, replace(policy, target=target), NOW)
    engine = RecordingEngine(seen)
    stop = StopRequest()
    hand = Hand(engine, engine, Patience(engine.check_back, 0, stop), {}, frozenset(), frozenset())
    carried = carry_out(plan, hand, stop)
    assert [(one.status, one.detail) for one in carried.outcomes] == [("removed", None)] * len(plan.removals)
    shown = [(one.kind, one.id, one.action, one.name if one.action == "untag" else "") for one in plan.removals]
    assert Counter(engine.asked) == Counter(shown)
    # Each was written down before it was asked for.
    assert Counter(engine.recorded) == Counter(shown)
    place = {asked: number for number, asked in enumerate(engine.asked)}
    for one in plan.removals:
        own = place[one.kind, one.id, one.action, one.name if one.action == "untag" else ""]
        assert all(place[ref.kind, ref.id, "remove", ""] < own for ref in one.after)


@given(INVENTORIES, POLICIES, st.none() | TARGETS)
@some
def test_a_saved_plan_is_carried_out_as_it_is_where_nothing_changed(
    seen: Inventory, policy: Policy, target: Target | None
) -> None:
    plan = make_plan(seen, replace(policy, target=target), NOW)
    permitted = what_may_go(plan, seen, policy, NOW)
    assert permitted.settled == ()
    assert [replace(one, reclaim=NOTHING) for one in permitted.plan.removals] == [
        replace(one, reclaim=NOTHING) for one in plan.removals
    ]


@given(INVENTORIES, INVENTORIES, POLICIES, POLICIES)
@some
def test_of_a_saved_plan_nothing_goes_on_another_day_that_it_does_not_name_or_that_something_holds(
    then: Inventory, now: Inventory, policy: Policy, policy_now: Policy
) -> None:
    plan = make_plan(then, policy, NOW)
    permitted = what_may_go(plan, now, policy_now, NOW)
    # An untagged image is called by a digest, which may have gone; a tag is what it is called.
    named = {(one.kind, one.id, one.action, one.name if one.action == "untag" else "") for one in plan.removals}
    goes = {
        (one.kind, one.id, one.action, one.name if one.action == "untag" else "") for one in permitted.plan.removals
    }
    settled = {
        (one.kind, one.id, one.action, one.name if one.action == "untag" else "") for one, _ in permitted.settled
    }
    assert goes | settled == named
    assert not goes & settled
    gone = {ref_of_decision(one) for one in permitted.plan.decisions if one.verdict == "remove"}
    holds = find_holds(now, NOW)
    assert all(hold.by in gone for ref in gone for hold in holds.get(ref, ()))
