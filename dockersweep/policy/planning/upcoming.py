"""What each of the days to come adds to a plan, if nothing changes until then."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from dockersweep.model.inventory import ObjectRef
from dockersweep.model.plan import Decision, Plan, UpcomingDay, UpcomingRemoval
from dockersweep.model.policy import Policy
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.planner import make_plan


def upcoming_days(survey: Survey, policy: Policy, plan: Plan, ends: Sequence[datetime]) -> tuple[UpcomingDay, ...]:
    """Return the days that add something to `plan`, which is that of now; `ends` are when each day ends, in order.

    Days between two plans that remove the same are not asked about: as time passes objects only grow older, so what can
    go once can go ever after. Calendar ages waver for the last days of a month, which moves an object by a day or two.
    """
    plans = {-1: plan}

    def ask_between(first: int, last: int) -> None:
        if last - first < 2 or _going(plans[first]).keys() == _going(plans[last]).keys():
            return
        middle = (first + last) // 2
        plans[middle] = make_plan(survey.at(ends[middle]), policy)
        ask_between(first, middle)
        ask_between(middle, last)

    plans[len(ends) - 1] = make_plan(survey.at(ends[-1]), policy)
    ask_between(-1, len(ends) - 1)
    return tuple(_days(plans, ends))


def _days(plans: Mapping[int, Plan], ends: Sequence[datetime]) -> list[UpcomingDay]:
    days = []
    known = set(_going(plans[-1]))
    for place in sorted(plans)[1:]:
        going = _going(plans[place])
        added = tuple(_removal(one) for ref, one in going.items() if ref not in known)
        known |= going.keys()
        if added:
            reclaim = plans[place].reclaim
            days.append(UpcomingDay(until_at=ends[place], added=added, objects=len(going), reclaim=reclaim))
    return days


def _going(plan: Plan) -> dict[ObjectRef, Decision]:
    return {one.ref: one for one in plan.decisions if one.verdict == "remove"}


def _removal(decision: Decision) -> UpcomingRemoval:
    return UpcomingRemoval(
        kind=decision.kind,
        id=decision.id,
        name=decision.name,
        size_bytes=decision.size_bytes,
        rules=tuple(dict.fromkeys(reason.rule for reason in decision.reasons)),
    )
