"""What each day to come adds is what plans of these days say, though not every day is asked about."""

from datetime import timedelta

from hypothesis import event, given
from hypothesis import strategies as st

from dockersweep.model.inventory import Inventory, ObjectRef
from dockersweep.model.plan import Plan
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.language.default_policy import DEFAULT_POLICY
from dockersweep.policy.language.flags import PolicyFlags, policy_from_flags
from dockersweep.policy.planning import upcoming
from dockersweep.policy.planning.planner import make_plan
from tests.policy.test_plan_properties import FLAGS, inventories
from tests.rig.examples import examples
from tests.rig.inventories import NOW, ago, container, inventory


def going(plan: Plan) -> set[ObjectRef]:
    return {one.ref for one in plan.decisions if one.verdict == "remove"}


@given(inventories(), FLAGS, st.integers(min_value=1, max_value=40))
@examples(100)
def test_days_are_those_of_plans_of_each_day(there: Inventory, flags: PolicyFlags, count: int) -> None:
    policy, survey = policy_from_flags(flags), Survey(there, NOW)
    ends = [NOW + timedelta(days=number) for number in range(1, count + 1)]
    plan = make_plan(survey, policy)
    told = {day.until_at: day for day in upcoming.upcoming_days(survey, policy, plan, ends)}
    event(f"{min(3, len(told))} days")
    known = going(plan)
    for end in ends:
        then = make_plan(Survey(there, end), policy)
        added = going(then) - known
        assert {one.ref for one in told[end].added} == added if added else end not in told
        if added:
            assert (told[end].objects, told[end].reclaim) == (len(going(then)), then.reclaim)
        known |= added


def test_days_on_which_nothing_changes_are_not_planned() -> None:
    asked = []

    class Counted(Survey, frozen=True, dict=True):
        def at(self, now: object) -> Survey:
            asked.append(now)
            return super().at(now)  # type: ignore[arg-type]

    survey = Counted(inventory(container("a"), container("b", finished=ago(hours=1))), NOW)
    ends = [NOW + timedelta(days=number) for number in range(1, 65)]
    [day] = upcoming.upcoming_days(survey, DEFAULT_POLICY, make_plan(survey, DEFAULT_POLICY), ends)
    assert ([one.name for one in day.added], day.until_at) == (["b"], ends[0])
    assert len(asked) <= 8
