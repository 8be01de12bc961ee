"""Volumes that look anonymous and are not marked so.

Docker before 23.0 knows no label, and 26.1 leaves it out for `--mount type=volume,target=`; 28.5 does not. Who named
such a volume is not known, so a rule for anonymous ones keeps it, and a host that has many would stop shrinking without
a word.
"""

from collections.abc import Callable

from dockersweep.model.inventory import Inventory, ObjectRef, ScanWarning, Volume
from dockersweep.model.naming import has_made_up_name, ref_of
from dockersweep.model.plan import Decision, Plan
from dockersweep.model.policy import Policy
from dockersweep.model.reason import ReasonCode
from dockersweep.model.report import FindingId

FINDING: FindingId = "DS019"


def unmarked_volumes(
    inventory: Inventory, policy: Policy, decision_of: Callable[[ObjectRef], Decision]
) -> tuple[Volume, ...]:
    """Return those that stay only because no rule matches them, where one removes anonymous volumes."""
    if not _removes_anonymous(policy):
        return ()
    candidates = [volume for volume in inventory.volumes if _looks_anonymous(volume)]
    return tuple(one for one in candidates if _codes(decision_of(ref_of(one))) == {"no-rule"})


def unmarked_warnings(inventory: Inventory, plan: Plan) -> tuple[ScanWarning, ...]:
    """Return what a plan has to say of them, in one sentence; nothing where the policy silences the finding."""
    if FINDING in plan.policy.silenced_findings:
        return ()
    decisions = {one.ref: one for one in plan.decisions if one.kind == "volume"}
    count = len(unmarked_volumes(inventory, plan.policy, decisions.__getitem__))
    if not count:
        return ()
    what = "1 unused volume looks anonymous but is" if count == 1 else f"{count} unused volumes look anonymous but are"
    text = f"{what} not marked so, and kept; `dockersweep report` shows the rule that removes them"
    return (ScanWarning(about=FINDING, text=text),)


def _codes(decision: Decision) -> set[ReasonCode]:
    return {reason.code for reason in decision.reasons}


def _looks_anonymous(volume: Volume) -> bool:
    return not volume.anonymous and volume.driver == "local" and not volume.options and has_made_up_name(volume.name)


def _removes_anonymous(policy: Policy) -> bool:
    return any("volume" in rule.kinds and rule.match.anonymous and rule.remove is not None for rule in policy.rules)
