"""What each of the next days adds to a plan, if nothing else changes."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from dockersweep.model.inventory import ObjectRef
from dockersweep.model.plan import Decision, Plan, UpcomingDay, UpcomingRemoval
from dockersweep.model.policy import Policy
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.planner import make_plan


def upcoming_days(survey: Survey, policy: Policy, plan: Plan, ends: Sequence[datetime]) -> tuple[UpcomingDay, ...]:
    """Return the days that add something to `plan`, the plan of now; `ends` are the ends of the days, in order.

    Bisects: days between two plans that remove the same are skipped. Objects only grow older, so a later plan removes
    what an earlier one does. Calendar ages can drop again at the end of a month, which moves an object by a day or two.
    """
    plans = {-1: plan}

    def plan_between(first: int, last: int) -> None:
        if last - first < 2 or _going(plans[first]).keys() == _going(plans[last]).keys():
            return
        middle = (first + last) // 2
        plans[middle] = make_plan(survey.at(ends[middle]), policy)
        plan_between(first, middle)
        plan_between(middle, last)

    plans[len(ends) - 1] = make_plan(survey.at(ends[-1]), policy)
    plan_between(-1, len(ends) - 1)
    return tuple(_days(plans, ends))


def _days(plans: Mapping[int, Plan], ends: Sequence[datetime]) -> list[UpcomingDay]:
    days = []
    known = set(_going(plans[-1]))
    for place in sorted(plans)[1:]:
        going = _going(plans[place])
        added = tuple(_removal(decision) for ref, decision in going.items() if ref not in known)
        known |= going.keys()
        if added:
            reclaim = plans[place].reclaim
            days.append(UpcomingDay(until_at=ends[place], added=added, objects=len(going), reclaim=reclaim))
    return days


def _going(plan: Plan) -> dict[ObjectRef, Decision]:
    return {decision.ref: decision for decision in plan.decisions if decision.verdict == "remove"}


def _removal(decision: Decision) -> UpcomingRemoval:
    return UpcomingRemoval(
        kind=decision.kind,
        id=decision.id,
        name=decision.name,
        size_bytes=decision.size_bytes,
        rules=tuple(dict.fromkeys(reason.rule for reason in decision.reasons)),
    )
