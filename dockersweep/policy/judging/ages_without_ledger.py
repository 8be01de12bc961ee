"""What a plan keeps only because its age is unknown: without a ledger that repeats in every run."""

from collections import Counter
from collections.abc import Mapping

from dockersweep.model.inventory import Inventory, Kind, ScanWarning
from dockersweep.model.plan import Plan
from dockersweep.words.amounts import plural
from dockersweep.words.lists import both, either

_KINDS_IN_LEDGER: tuple[Kind, ...] = ("image", "volume", "network")
_NEEDS_NO_LEDGER: Mapping[Kind, str] = {
    "image": "remove.built_over",
    "volume": "remove.created_over",
    "network": "remove.created_over",
}
"""The key of a rule that needs only dates from the engine."""


def unknown_age_warnings(inventory: Inventory, plan: Plan) -> tuple[ScanWarning, ...]:
    """Return one warning with the number of objects that rules with an age never remove without a ledger; none where
    there is a ledger, or no object is kept for that alone."""
    if inventory.marks is not None:
        return ()
    counts = Counter(
        decision.kind
        for decision in plan.decisions
        if decision.kind in _KINDS_IN_LEDGER
        and decision.verdict == "keep"
        and {reason.code for reason in decision.reasons} == {"age-unknown"}
    )
    if not counts:
        return ()
    kinds = both(plural(counts[kind], kind) for kind in _KINDS_IN_LEDGER if counts[kind])
    keys = dict.fromkeys(_NEEDS_NO_LEDGER[kind] for kind in _KINDS_IN_LEDGER if counts[kind])
    text = (
        f"without a ledger nothing tells how old {kinds} may be, so no rule with an age ever removes them: keep a "
        f"ledger, write a rule with {either(keys)}, which works without one, or remove everything unused whatever its "
        "age with --older-than 0s"
    )
    return (ScanWarning(about="ages", text=text),)
