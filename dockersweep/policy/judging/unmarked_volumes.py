"""Volumes that look anonymous and are not marked so.

Docker before 23.0 has no label for it, and 26.1 omits the label for `--mount type=volume,target=`; 28.5 does not.
Somebody may have named such a volume, so a rule for anonymous volumes keeps it; without this warning the disk of a host
with many would fill up silently.
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
    """Return the volumes kept only because no rule matches them, under a policy that removes anonymous volumes."""
    if not _removes_anonymous(policy):
        return ()
    candidates = [volume for volume in inventory.volumes if _looks_anonymous(volume)]
    return tuple(volume for volume in candidates if _codes(decision_of(ref_of(volume))) == {"no-rule"})


def unmarked_warnings(inventory: Inventory, plan: Plan) -> tuple[ScanWarning, ...]:
    """Return one warning about them for a plan; none where the policy silences the finding."""
    if FINDING in plan.policy.silenced_findings:
        return ()
    decisions = {decision.ref: decision for decision in plan.decisions if decision.kind == "volume"}
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
