"""What holds of every plan of every inventory under every policy."""

from collections.abc import Callable
from datetime import timedelta
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.model.inventory import KINDS, Inventory, Object, ObjectRef
from dockersweep.model.naming import objects_of, ref_of, size_of
from dockersweep.model.plan import Plan
from dockersweep.policy.judging.order import ORDER
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.units import parse_age
from dockersweep.words.reasons import reason_text
from tests.rig.examples import examples
from tests.rig.inventories import NOW, container, image, inventory, network, plan_of, record, volume

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
INSTANTS = st.integers(min_value=-100, max_value=2000).map(lambda hours: NOW - timedelta(hours=hours))
LABELS = st.dictionaries(st.sampled_from(["keep", "env"]), st.sampled_from(["", "prod"]), max_size=2)
STATES = st.sampled_from(["created", "running", "paused", "restarting", "removing", "exited", "dead", "odd"])
SIZES = st.none() | st.integers(min_value=0, max_value=10**9)


@st.composite
def containers(draw: st.DrawFn, name: str) -> Object:
    return container(
        f"c{name}",
        draw(STATES),
        finished=draw(INSTANTS),
        created=draw(INSTANTS),
        image=f"sha256:i{draw(NAMES)}",
        volumes=[f"v{one}" for one in draw(st.sets(NAMES, max_size=2))],
        networks=[f"n{one}" for one in draw(st.sets(NAMES, max_size=2))],
        restart=draw(st.sampled_from(["no", "always", None])),
        labels=draw(LABELS),
        size=draw(SIZES),
        logs=draw(SIZES),
        unread=draw(st.sampled_from([None, None, None, "it hung"])),
    )


@st.composite
def images(draw: st.DrawFn, name: str) -> Object:
    size = draw(SIZES)
    return image(
        f"i{name}",
        *sorted(draw(st.sets(st.sampled_from([f"{name}:1", f"{name}:2", f"x/{name}:1"]), max_size=3))),
        # A parent has an earlier letter, so there is no circle.
        parent=draw(st.sampled_from([None, *(f"i{one}" for one in "abcde" if one < name)])),
        size=size,
        shared=None if size is None else draw(st.none() | st.integers(min_value=0, max_value=size)),
        first_seen=draw(INSTANTS),
        labels=draw(LABELS),
    )


@st.composite
def volumes(draw: st.DrawFn, name: str) -> Object:
    return volume(
        f"v{name}",
        anonymous=draw(st.booleans()),
        driver=draw(st.sampled_from(["local", "nfs"])),
        options=draw(st.sampled_from([None, {"type": "nfs"}])),
        created=draw(INSTANTS),
        free=draw(st.booleans()),
        size=draw(SIZES),
        labels=draw(LABELS),
    )


@st.composite
def records(draw: st.DrawFn, name: str) -> Object:
    parents = draw(st.sets(st.sampled_from("abcde"), max_size=2))
    return record(
        f"r{name}",
        *sorted(f"r{parent}" for parent in parents if parent < name),
        in_use=draw(st.booleans()),
        shared=draw(st.booleans()),
        last_used=draw(INSTANTS),
        size=draw(SIZES),
    )


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    objects: list[Object] = []
    for name in "abcde":
        for strategy in (containers, images, volumes, records):
            if draw(st.booleans()):
                objects.append(draw(strategy(name)))
        if draw(st.booleans()):
            objects.append(network(f"n{name}", predefined=draw(st.booleans()), created=draw(INSTANTS)))
    return inventory(*objects, cache_read=draw(st.booleans()))


FLAGS = st.builds(
    PolicyFlags,
    older_than=st.sampled_from([None, parse_age("0s"), parse_age("3d"), parse_age("2mo")]),
    kinds=st.sets(st.sampled_from(KINDS), max_size=3).map(tuple),
    all_images=st.booleans(),
    named_volumes=st.booleans(),
    keep_labels=st.sampled_from([(), ("keep",), ("env=prod",)]),
    keep_names=st.sampled_from([(), ("ca",), ("v*",)]),
    keep_images=st.sampled_from([(), ("b",), ("x/*",)]),
)


def plan_by_flags(seen: Inventory, flags: PolicyFlags) -> Plan:
    return plan_of(seen, policy_from_flags(flags))


def going(plan: Plan) -> set[ObjectRef]:
    return {one.ref for one in plan.removals if one.action == "remove"}


def of_any_plan(test: Callable[[Inventory, PolicyFlags], None]) -> Callable[[], None]:
    """Give a test inventories and flags."""
    return examples(30)(given(inventories(), FLAGS)(test))


@of_any_plan
def test_every_object_has_one_decision_and_every_decision_a_reason(seen: Inventory, flags: PolicyFlags) -> None:
    plan = plan_by_flags(seen, flags)
    decided = [one.ref for one in plan.decisions]
    assert sorted(decided, key=str) == sorted((ref_of(one) for one in objects_of(seen)), key=str)
    assert all(reason_text(reason) and reason.rule for one in plan.decisions for reason in one.reasons)
    assert all(one.reasons for one in plan.decisions)
    removed = {one.ref for one in plan.decisions if one.verdict == "remove"}
    assert removed == going(plan)
    assert {one.kind for one in removed} <= set(flags.kinds or KINDS)


@of_any_plan
def test_nothing_that_a_survivor_references_goes(seen: Inventory, flags: PolicyFlags) -> None:
    gone = going(plan_by_flags(seen, flags))
    for held, holders in Survey(seen, NOW).holders.items():
        if held in gone:
            assert all(hold.by in gone for hold in holders)


@of_any_plan
def test_nothing_hard_protected_or_too_young_goes(seen: Inventory, flags: PolicyFlags) -> None:
    plan = plan_by_flags(seen, flags)
    gone = going(plan)
    for one in seen.containers:
        if ref_of(one) in gone:
            assert one.state in ("created", "exited", "dead")
            assert one.unread is None
            assert one.restart_policy == "no"
    for two in seen.volumes:
        if ref_of(two) in gone:
            assert (two.driver, two.options) == ("local", {})
            assert two.anonymous or flags.named_volumes
    for three in seen.images:
        assert ref_of(three) not in gone or not three.tags or flags.all_images
    limit = {"container": 86400, "image": 86400, "volume": 86400, "network": 86400, "build-cache": 604800}
    for decision in plan.decisions:
        if decision.verdict == "remove" and flags.older_than is None:
            assert decision.age_seconds is not None
            assert decision.age_seconds >= limit[decision.kind]


@of_any_plan
def test_a_protection_never_adds_a_removal(seen: Inventory, flags: PolicyFlags) -> None:
    more = msgspec.structs.replace  # Flags are a dataclass; the policy is a struct.
    policy = policy_from_flags(flags)
    protected = policy_from_flags(PolicyFlags(keep_labels=("keep",), keep_names=("*a",))).protections
    stricter = more(policy, protections=protected)
    without = more(policy, protections=policy_from_flags(PolicyFlags()).protections)
    assert going(plan_of(seen, stricter)) <= going(plan_of(seen, without))


@given(inventories(), FLAGS, st.randoms(use_true_random=False))
@examples(30)
def test_the_order_of_the_input_does_not_matter(seen: Inventory, flags: PolicyFlags, random: Random) -> None:
    objects = list(objects_of(seen))
    random.shuffle(objects)
    shuffled = inventory(*objects, cache_read=seen.build_cache is not None)
    before, after = plan_by_flags(seen, flags), plan_by_flags(shuffled, flags)
    assert [(one.kind, one.id, one.verdict) for one in before.decisions] == [
        (one.kind, one.id, one.verdict) for one in after.decisions
    ]
    assert [(one.id, one.action, one.name) for one in before.removals] == [
        (one.id, one.action, one.name) for one in after.removals
    ]


@of_any_plan
def test_a_plan_after_a_perfect_run_is_empty(seen: Inventory, flags: PolicyFlags) -> None:
    gone = going(plan_by_flags(seen, flags))
    rest = [one for one in objects_of(seen) if ref_of(one) not in gone]
    again = plan_by_flags(inventory(*rest, cache_read=seen.build_cache is not None), flags)
    assert going(again) == set()


@of_any_plan
def test_removals_come_in_order_and_after_what_holds_them(seen: Inventory, flags: PolicyFlags) -> None:
    plan = plan_by_flags(seen, flags)
    kinds = [ORDER.index(one.kind) for one in plan.removals]
    assert kinds == sorted(kinds)
    done: set[ObjectRef] = set()
    for one in plan.removals:
        assert set(one.after) <= done
        if one.action == "remove":
            done.add(one.ref)


@of_any_plan
def test_tags_go_one_by_one_down_to_the_last(seen: Inventory, flags: PolicyFlags) -> None:
    plan = plan_by_flags(seen, flags)
    tags = {one.id: one.tags for one in seen.images}
    for image_id in {one.id for one in plan.removals if one.kind == "image"}:
        steps = [one for one in plan.removals if one.kind == "image" and one.id == image_id]
        assert [one.action for one in steps] == ["untag"] * (len(steps) - 1) + ["remove"]
        assert len(steps) == max(1, len(tags[image_id]))
        left = list(tags[image_id])
        for step in steps:
            assert step.fingerprint["tags"] == sorted(left)
            if step.action == "untag":
                left.remove(step.name)


@of_any_plan
def test_the_interval_of_the_whole_holds_the_sum_of_its_rows(seen: Inventory, flags: PolicyFlags) -> None:
    plan = plan_by_flags(seen, flags)
    assert sum(one.reclaim.low_bytes for one in plan.removals) <= plan.reclaim.low_bytes
    highs = [one.reclaim.high_bytes for one in plan.removals]
    if plan.reclaim.high_bytes is not None:
        assert plan.reclaim.low_bytes <= plan.reclaim.high_bytes
        assert plan.reclaim.high_bytes <= sum(high or 0 for high in highs)
        if plan.reclaim.low_bytes == plan.reclaim.high_bytes:
            assert plan.reclaim.low_bytes == sum(high or 0 for high in highs)
    sizes = {ref_of(one): size_of(one) for one in objects_of(seen)}
    for one in plan.removals:
        size = sizes[one.ref]
        if one.action == "remove" and one.kind in ("image", "volume") and size is not None:
            assert one.reclaim.high_bytes is not None
            assert one.reclaim.high_bytes <= size
        assert one.reclaim.low_bytes == one.reclaim.high_bytes or one.reclaim.reason
