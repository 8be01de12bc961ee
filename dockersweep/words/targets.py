"""What a space target could still remove: nothing, or more with a flag."""

from dockersweep.model.plan import Plan
from dockersweep.model.reason import NotMatched
from dockersweep.words.lists import either


def no_more_words(plan: Plan) -> str:
    """Return why a plan frees no more: "the policy allows no more without --all-images"."""
    return f"the policy allows no more{_without(plan)}"


UNTICKED_WORDS = "what else may be removed was unticked"
"""Why a target is missed after a review."""
FILLS_ARCHIVE_WORDS = "the archive takes all that is freed, on the same disk: name a folder on another one"
"""Why a sweep for a target goes no further."""


def nothing_else_words(plan: Plan, is_first: bool) -> str:
    """Return the same for a finished sweep: "nothing else may be removed without --all-images"; with `is_first`
    for one that removed nothing."""
    return f"nothing {'' if is_first else 'else '}may be removed{_without(plan)}"


def _without(plan: Plan) -> str:
    """Return the flags that would remove more objects that use space."""
    flags = {
        reason.about.flag: None
        for decision in plan.decisions
        if decision.verdict == "keep" and decision.size_bytes != 0
        for reason in decision.reasons
        if isinstance(reason.about, NotMatched) and reason.about.flag is not None
    }
    return f" without {either(sorted(flags))}" if flags else ""
