"""What a space target could still remove, and what it may not."""

from collections.abc import Iterable, Iterator

from dockersweep.model.naming import PLURAL_OF
from dockersweep.model.outcome import Outcome
from dockersweep.model.plan import Plan, Spared
from dockersweep.model.reason import NotMatched
from dockersweep.words.amounts import amount_words, plural
from dockersweep.words.lists import either

MOST_SPARED = 3
"""At most this many reasons are named, those that free the most first."""


def no_more_words(plan: Plan) -> str:
    """Return why a plan frees no more: "the policy allows no more without --all-images: 4 images (176 MB) are younger
    than 1 hour (target.older_than)"."""
    return f"the policy allows no more{_without(plan)}{_in_the_way(plan)}"


UNTICKED_WORDS = "what else may be removed was unticked"
"""Why a target is missed after a review."""
FILLS_ARCHIVE_WORDS = "the archive takes all that is freed, on the same disk: name a folder on another one"
"""Why a sweep for a target goes no further."""


def not_archived_words(outcomes: Iterable[Outcome]) -> str:
    """Return what stays because it could not be archived, and why of the first; empty for nothing."""
    stays = list({outcome.ref: outcome for outcome in outcomes if outcome.is_not_archived}.values())
    if not stays:
        return ""
    first = stays[0]
    others = plural(len(stays) - 1, "other object")
    return f"{first.kind} {first.name} stays: {first.detail}{f'; {others} not archived' if len(stays) > 1 else ''}"


def nothing_else_words(plan: Plan, is_first: bool) -> str:
    """Return the same for a finished sweep: "nothing else may be removed without --all-images: ..."; with `is_first`
    for one that removed nothing."""
    return f"nothing {'' if is_first else 'else '}may be removed{_without(plan)}{_in_the_way(plan)}"


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


def _in_the_way(plan: Plan) -> str:
    """Return what the target may not remove, in figures; empty where nothing else uses space, or that is not known."""
    parts = list(_spared(() if plan.target is None else plan.target.spared))
    return f": {', '.join(parts)}" if parts else ""


def _spared(spared: tuple[Spared, ...]) -> Iterator[str]:
    for one in spared[:MOST_SPARED]:
        noun = PLURAL_OF[one.kind].removesuffix("s")
        amount = amount_words(one.frees, "of unknown size")
        yield f"{plural(one.objects, noun)} ({amount}) {'is' if one.objects == 1 else 'are'} {one.why}"
    more = sum(one.objects for one in spared[MOST_SPARED:])
    if more:
        yield f"{plural(more, 'other object')} may not go either"
