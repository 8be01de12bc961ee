"""Volumes that look anonymous and are not marked so.

Docker before 23.0 knows no label, and 26.1 leaves it out for `--mount type=volume,target=`; 28.5 does not. Who named
such a volume is not known, so a rule for anonymous ones keeps it, and a host that has many would stop shrinking without
a word.
"""

from dockersweep.model.inventory import Inventory, ScanWarning, Volume
from dockersweep.model.naming import has_made_up_name
from dockersweep.model.plan import Plan
from dockersweep.model.policy import Policy

FINDING = "DS019"


def unmarked_volumes(inventory: Inventory, plan: Plan) -> tuple[Volume, ...]:
    """Return those that a plan keeps only because no rule matches them, where one removes anonymous volumes."""
    candidates = {volume.name: volume for volume in inventory.volumes if _looks_anonymous(volume)}
    if not candidates or not _removes_anonymous(plan.policy):
        return ()
    return tuple(
        candidates[one.id]
        for one in plan.decisions
        if one.kind == "volume" and one.id in candidates and {reason.code for reason in one.reasons} == {"no-rule"}
    )


def unmarked_warnings(inventory: Inventory, plan: Plan) -> tuple[ScanWarning, ...]:
    """Return what a plan has to say of them, in one sentence; nothing where the policy silences the finding."""
    count = len(unmarked_volumes(inventory, plan))
    if not count or FINDING in plan.policy.silenced_findings:
        return ()
    what = "1 unused volume looks anonymous but is" if count == 1 else f"{count} unused volumes look anonymous but are"
    text = f"{what} not marked so, and kept; `dockersweep report` shows the rule that removes them"
    return (ScanWarning(about=FINDING, text=text),)


def _looks_anonymous(volume: Volume) -> bool:
    return not volume.anonymous and has_made_up_name(volume.name) and volume.driver == "local" and not volume.options


def _removes_anonymous(policy: Policy) -> bool:
    return any("volume" in rule.kinds and rule.match.anonymous and rule.remove is not None for rule in policy.rules)
