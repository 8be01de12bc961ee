"""What is left of a plan where a person unticks objects: just what they left, and what it frees."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dockersweep.model.inventory import Inventory, Object, ObjectRef
from dockersweep.model.plan import Plan
from dockersweep.model.policy import LimitSettings, Match, Policy, Remove, Rule, Target
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.planning.choice import UNTICKED, Choice, staying_with, without
from dockersweep.policy.planning.limits import Gone
from dockersweep.policy.planning.planner import make_plan
from dockersweep.units import parse_age
from dockersweep.words.reasons import reason_text
from tests.policy.inventory_strategies import FULL_INVENTORIES
from tests.rig.examples import examples
from tests.rig.inventories import NOW, container, image, inventory, network, volume

NOW_ON = parse_age("0s")
ALL = policy_from_flags(PolicyFlags(older_than=NOW_ON, all_images=True, named_volumes=True))
SHOP = (
    container("job", image="sha256:app", volumes=["data"], networks=["net"], size=5),
    container("web", image="sha256:app", size=7),
    image("app", "app:1", "app:2", size=100),
    volume("data", size=20),
    network("net"),
)


def chosen(*objects: Object, unticked: tuple[ObjectRef, ...], policy: Policy = ALL) -> Plan:
    survey = Survey(inventory(*objects), NOW)
    return without(make_plan(survey, policy), survey, unticked)


def goes(plan: Plan) -> list[tuple[str, str]]:
    return [(step.action, step.name) for step in plan.removals]


def of_container(name: str) -> ObjectRef:
    return ObjectRef(kind="container", id=name)


def test_what_an_unticked_container_holds_stays_and_says_so() -> None:
    plan = chosen(*SHOP, unticked=(of_container("job"),))
    assert goes(plan) == [("remove", "web")]
    why = {one.name: [reason_text(reason) for reason in one.reasons] for one in plan.decisions if one.verdict == "keep"}
    assert why["job"] == [reason_text(UNTICKED)]
    for held in ("app:1", "data", "net"):
        assert why[held] == ["used by container job (exited 10 days ago)"]
    assert plan.reclaim.low_bytes == 7


def test_an_unticked_image_takes_nothing_else_with_it() -> None:
    plan = chosen(*SHOP, unticked=(ObjectRef(kind="image", id="sha256:app"),))
    assert sorted(goes(plan)) == [("remove", name) for name in ("data", "job", "net", "web")]


def test_tags_are_unticked_with_their_image() -> None:
    rule = Rule(name="old", kinds=("image",), match=Match(tag=("2", "3")), remove=Remove(older_than=NOW_ON))
    policy = replace(ALL, rules=(rule,))
    app = image("app", "app:1", "app:2", "app:3")
    assert goes(chosen(app, unticked=(), policy=policy)) == [("untag", "app:2"), ("untag", "app:3")]
    plan = chosen(app, unticked=(ObjectRef(kind="image", id="sha256:app"),), policy=policy)
    assert goes(plan) == []
    [decision] = plan.decisions
    assert (decision.verdict, decision.untag, decision.name) == ("keep", (), "app:1")


def test_what_is_unticked_no_longer_counts_for_a_limit() -> None:
    policy = replace(ALL, limits=LimitSettings(objects=2))
    survey = Survey(inventory(*SHOP), NOW)
    choice = Choice(make_plan(survey, policy), survey)
    assert choice.over_limits() == choice.plan.limits.exceeded
    assert choice.over_limits()
    choice.change([of_container("job")], ticks=False)
    assert choice.over_limits() == () == choice.chosen().limits.exceeded


def test_what_earlier_rounds_removed_counts_for_a_limit() -> None:
    policy = replace(ALL, limits=LimitSettings(objects=3))
    survey = Survey(inventory(*SHOP), NOW)
    gone = Gone({"container": 3})
    plan = without(make_plan(survey, policy, gone), survey, [of_container("job")], gone)
    assert plan.limits.exceeded == ("4 objects to remove, 3 allowed",)


def test_a_target_is_reached_only_by_what_is_ticked() -> None:
    policy = replace(ALL, target=Target(free_bytes=130, older_than=NOW_ON, order=("image",)))
    plan = chosen(*SHOP, unticked=(), policy=policy)
    assert plan.target is not None
    assert plan.target.reached is True
    plan = chosen(*SHOP, unticked=(of_container("web"),), policy=policy)
    assert plan.target is not None
    assert plan.target.reached is False


def test_a_further_round_does_not_take_what_was_unticked() -> None:
    """An object that is no longer there, or that another plan does not remove, changes nothing."""
    survey = Survey(inventory(*SHOP[1:]), NOW)
    plan = make_plan(survey, ALL)
    assert without(plan, survey, (of_container("job"),)) is plan
    assert "web" not in {step.name for step in without(plan, survey, (of_container("web"),)).removals}


@given(FULL_INVENTORIES, st.data())
@examples(60)
def test_every_choice_is_a_plan_of_what_is_ticked(seen: Inventory, data: st.DataObject) -> None:
    survey = Survey(seen, NOW)
    plan = make_plan(survey, ALL)
    refs = list(dict.fromkeys(step.ref for step in plan.removals))
    unticked = frozenset(data.draw(st.sets(st.sampled_from(refs))) if refs else ())
    made = without(plan, survey, unticked)
    staying = staying_with(plan, unticked)
    # Just what is ticked goes, in the same order.
    assert goes(made) == [(step.action, step.name) for step in plan.removals if step.ref not in staying]
    assert unticked <= set(staying)
    # What stays holds nothing that goes, so the engine refuses none of it.
    for step in made.removals:
        assert not any(by in staying for by in step.after)
    # Whatever stays is unticked, or held by what stays: no more than that.
    held_by = {step.ref: step.after for step in plan.removals}
    assert all(ref in unticked or by in held_by[ref] for ref, by in staying.items())
    assert made.reclaim == survey.reclaim.in_order([one.ref for one in made.removals if one.action == "remove"]).total
    assert {one.ref for one in made.decisions} == {one.ref for one in plan.decisions}
    assert all(one.reasons for one in made.decisions)
    # On the screen it is the same, however it came about.
    choice = Choice(plan, survey)
    choice.change(refs, ticks=False)
    choice.change([ref for ref in refs if ref not in unticked], ticks=True)
    assert choice.chosen() == made
    assert choice.total == made.reclaim
    choice.change(refs, ticks=True)
    assert choice.chosen() is plan
