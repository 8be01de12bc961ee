"""What makes an object removable that the policy never removes: a flag, or the removal of its containers."""

from collections.abc import Callable, Iterator, Sequence

from dockersweep.model.explanation import Unless
from dockersweep.model.inventory import Object
from dockersweep.model.naming import ref_of
from dockersweep.model.plan import Interval
from dockersweep.model.policy import Policy
from dockersweep.policy.explaining.forecast import forecast
from dockersweep.policy.explaining.without_containers import without_containers
from dockersweep.policy.judging.judge import Judge
from dockersweep.policy.language.flags import with_flag_of_kind
from dockersweep.words.lists import naturally


def what_lets_it_go(judge: Judge, item: Object, in_plan: Callable[[Judge], Interval | None]) -> Unless | None:
    """Return the least change that makes an object removable, and the forecast if it is made now; None where nothing
    does. `in_plan` returns what the object then adds to the plan of a judge."""
    survey, ref = judge.survey, ref_of(item)
    # Containers that join each other's namespaces may do so in a circle.
    holds = () if ref.kind == "container" else survey.holders.get(ref, ())
    holders = naturally({hold.about.name for hold in holds if hold.by.kind == "container"})
    for flag, policy, containers in _ways(judge.policy, with_flag_of_kind(judge.policy, ref.kind), holders):
        then = without_containers(survey, ref, survey.now) if containers else survey
        after = forecast(Judge(then, policy), then.objects[ref])
        if after.when != "never":
            frees = None if containers or after.when != "now" else in_plan(Judge(survey, policy))
            return Unless(flag=flag, containers=tuple(containers), forecast=after, reclaim_in_plan=frees)
    return None


def _ways(
    policy: Policy, flagged: tuple[str, Policy] | None, holders: Sequence[str]
) -> Iterator[tuple[str | None, Policy, Sequence[str]]]:
    """Yield the changes to try, as (flag, policy, containers): the flag, the containers, both."""
    if flagged is not None:
        yield *flagged, ()
    if holders:
        yield None, policy, holders
        if flagged is not None:
            yield *flagged, holders
