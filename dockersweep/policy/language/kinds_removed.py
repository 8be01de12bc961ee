"""Which kinds of objects a policy may remove."""

from dockersweep.model.inventory import Kind
from dockersweep.model.policy import Policy


def may_remove(policy: Policy, kind: Kind) -> bool:
    """Return whether a rule or the space target of a policy removes objects of a kind, and the kind is asked for."""
    by_rule = not policy.only_target and any(rule.remove is not None and kind in rule.kinds for rule in policy.rules)
    for_space = policy.target is not None and kind in policy.target.order
    return kind in policy.kinds and (by_rule or for_space)
