"""Volumes whose data may lie elsewhere: several hosts can have one of them, unused here and used there.

Docker and Podman each know only their own containers. A volume of another driver than `local` is the same data on
every host that names it, and removing it anywhere removes it for all.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from dockersweep.model.plan import NOTHING, Decision, Interval, Plan, Removal
from dockersweep.model.policy import Policy
from dockersweep.model.reason import Fact, Reason

LOCAL = "local"
_KEPT = Reason(code="protected", rule="several hosts", about=Fact(name="on-other-hosts"))


def shareable_removals(plan: Plan) -> tuple[str, ...]:
    """Return the names of the volumes that a plan removes and that other hosts may have too."""
    return tuple(step.name for step in plan.removals if _is_shareable(step))


def may_remove_shareable(policy: Policy) -> bool:
    """Whether a policy may remove such volumes: a rule for volumes that does not ask for the driver `local` alone, or a
    space target that takes volumes."""
    by_rule = any(
        rule.remove is not None and "volume" in rule.kinds and rule.match.driver != (LOCAL,) for rule in policy.rules
    )
    for_space = policy.target is not None and "volume" in policy.target.order
    return "volume" in policy.kinds and (by_rule or for_space)


def kept_for_others(plans: Mapping[str, Plan], silent: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return host -> volume -> why it has to stay there, of the plans of all hosts that told; `silent` are the names of
    those that did not."""
    going = {name: frozenset(shareable_removals(plan)) for name, plan in plans.items()}
    of_hosts: dict[str, dict[str, str]] = {}
    for volume in sorted(frozenset().union(*going.values())):
        keepers = [name for name in _with_volume(volume, plans) if volume not in going[name]]
        if keepers:
            why = f"{keepers[0]} has it too, and keeps it"
        elif silent:
            why = f"{silent[0]} did not tell whether it uses it"
        else:
            continue
        for name, of_host in going.items():
            if volume in of_host:
                of_hosts.setdefault(name, {})[volume] = why
    return of_hosts


def without_volumes(plan: Plan, volumes: Collection[str]) -> Plan:
    """Return a plan in which these volumes stay; nothing else depends on them."""
    removals = tuple(step for step in plan.removals if not (step.kind == "volume" and step.id in volumes))
    of_volumes = _added(step for step in removals if step.kind == "volume")
    return replace(
        plan,
        decisions=tuple(_kept(decision, volumes) for decision in plan.decisions),
        removals=removals,
        reclaim=_added(removals),
        reclaim_of_kinds={**plan.reclaim_of_kinds, "volume": of_volumes},
    )


def _kept(decision: Decision, volumes: Collection[str]) -> Decision:
    if decision.kind != "volume" or decision.id not in volumes:
        return decision
    return replace(decision, verdict="keep", reasons=(_KEPT,))


def _added(steps: Iterable[Removal]) -> Interval:
    total = NOTHING
    for step in steps:
        total += step.reclaim
    return total


def _with_volume(volume: str, plans: Mapping[str, Plan]) -> Iterator[str]:
    for name, plan in plans.items():
        is_listed = any(decision.kind == "volume" and decision.id == volume for decision in plan.decisions)
        if is_listed or volume in plan.unlisted_volumes:
            yield name


def tells_of_volumes(plan: Plan) -> bool:
    """Whether a plan tells of all volumes: no driver failed to list its own, and nothing is to stay for a limit."""
    return not plan.limits.exceeded and all(warning.about != "volumes" for warning in plan.warnings)


def _is_shareable(step: Removal) -> bool:
    return step.kind == "volume" and step.fingerprint.get("driver") != LOCAL
