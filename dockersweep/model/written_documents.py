"""Documents as they are written: the same as in memory, but that each reason has its sentence beside its values, and
each removal its fingerprint."""

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, TypeVar

from msgspec import Meta, Struct
from msgspec.structs import asdict, replace

from dockersweep.model import explanation, history, plan, reason
from dockersweep.model.fingerprint import Fingerprint
from dockersweep.model.inventory import ObjectRef, OfObject
from dockersweep.model.reason import About, InWords, ReasonCode


class Reason(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Why an object is kept or removed."""

    code: ReasonCode
    rule: str
    text: str
    """For a person: "stopped for 10 days, over 24 hours"."""
    tag: str | None = None
    """The tag of an image that it is about, where not all of the image's tags have the same reasons."""
    about: About | None = None
    """What it is about; None where an older version wrote it."""


# What they hold is another type, and nothing takes one for the other: they are read, or written, and left.
class Decision(plan.Decision, frozen=True, kw_only=True, gc=False):
    """What becomes of one object. Every object of an inventory gets exactly one."""

    reasons: Annotated[tuple[Reason, ...], Meta(min_length=1)]  # type: ignore[assignment]


class Removal(OfObject, frozen=True, kw_only=True, gc=False):
    """One step of a plan: an object that goes, or a tag that goes before its image does."""

    name: str
    action: Literal["remove", "untag"]
    fingerprint: Fingerprint
    reclaim: plan.Interval
    """What it adds to what the removals before it free: these add up to what the plan frees."""
    after: tuple[ObjectRef, ...]
    """What holds it now and goes earlier in this plan; where that stays, this stays."""
    reclaim_alone: plan.Interval | None = None
    """What it would free if everything else stayed."""
    layers_held: plan.LayersHeld | None = None
    """Who holds layers of an image, or that of a build-cache record, that frees far less than its size; None where it
    does not."""


class Plan(plan.Plan, frozen=True, kw_only=True):
    """Every decision, and the removals in the order in which they are carried out: dockersweep.plan/1."""

    decisions: tuple[Decision, ...]
    removals: tuple[Removal, ...]  # type: ignore[assignment]


class Explanation(explanation.Explanation, frozen=True, kw_only=True):
    """What one object is, what becomes of it and why, and what it would free: dockersweep.explanation/1."""

    decision: Decision


class GroupExplanation(explanation.GroupExplanation, frozen=True, kw_only=True):
    """What becomes of each object of a group and why, and what they free together: dockersweep.group/1."""

    decisions: tuple[Decision, ...]


class PastRemoval(history.PastRemoval, frozen=True, kw_only=True):
    """One removal of one run."""

    reasons: tuple[Reason, ...]  # type: ignore[assignment]


class History(history.History, frozen=True, kw_only=True):
    """What the ledger tells: the document dockersweep.history/1."""

    removals: tuple[PastRemoval, ...] = ()


_TAG_GOES = re.compile(r"its tag (?P<tag>\S+) goes, which gives back 0 bytes: (?P<text>.*)", re.DOTALL)
"""Where 0.1.0 told which tag a reason is about."""

Document = TypeVar("Document", bound=Struct)
_Holder = TypeVar("_Holder", plan.Decision, history.PastRemoval)

WRITTEN: dict[type[Struct], type[Struct]] = {
    plan.Plan: Plan,
    explanation.Explanation: Explanation,
    explanation.GroupExplanation: GroupExplanation,
    history.History: History,
}
"""The type of each document that has reasons as it is written."""


def to_written(document: Document, text_of: Callable[[reason.Reason], str]) -> Document:
    """Return a document to write, with the sentence of each reason that `text_of` makes."""
    made: dict[int, Reason] = {}

    def with_text(one: reason.Reason) -> Any:
        # Many objects share a reason.
        if id(one) not in made:
            about = None if isinstance(one.about, InWords) else one.about
            made[id(one)] = Reason(code=one.code, rule=one.rule, text=text_of(one), tag=one.tag, about=about)
        return made[id(one)]

    def of(holder: _Holder) -> _Holder:
        return replace(holder, reasons=tuple([with_text(one) for one in holder.reasons]))

    if isinstance(document, plan.Plan):
        removals = tuple([_written_removal(one) for one in document.removals])
        return replace(document, decisions=tuple([of(one) for one in document.decisions]), removals=removals)
    if isinstance(document, explanation.Explanation):
        return replace(document, decision=of(document.decision))
    if isinstance(document, explanation.GroupExplanation):
        return replace(document, decisions=tuple([of(one) for one in document.decisions]))
    if isinstance(document, history.History):
        return replace(document, removals=tuple([of(one) for one in document.removals]))
    return document


def from_written(document: Struct) -> Struct:
    """Return a document that was read as it is in memory. What an older version wrote only has its sentences."""
    if isinstance(document, Plan):
        decisions = tuple([_decision(one) for one in document.decisions])
        steps = tuple([_removal(one) for one in document.removals])
        return plan.Plan(**{**asdict(document), "decisions": decisions, "removals": steps})
    if isinstance(document, Explanation):
        return explanation.Explanation(**{**asdict(document), "decision": _decision(document.decision)})
    if isinstance(document, GroupExplanation):
        decisions = tuple([_decision(one) for one in document.decisions])
        return explanation.GroupExplanation(**{**asdict(document), "decisions": decisions})
    if isinstance(document, History):
        removals = tuple(
            history.PastRemoval(**{**asdict(one), "reasons": _reasons(one.reasons)}) for one in document.removals
        )
        return history.History(**{**asdict(document), "removals": removals})
    return document


def _written_removal(one: plan.Removal) -> Any:
    return Removal(fingerprint=one.fingerprint, **_in_both(one))


def _removal(one: Removal) -> plan.Removal:
    return plan.Removal(judged=one.fingerprint, **_in_both(one))


def _in_both(one: plan.Removal | Removal) -> dict[str, Any]:
    """Return what a removal tells alike in memory and in a document: all but what it looked like."""
    return {
        "kind": one.kind,
        "id": one.id,
        "name": one.name,
        "action": one.action,
        "reclaim": one.reclaim,
        "after": one.after,
        "reclaim_alone": one.reclaim_alone,
        "layers_held": one.layers_held,
    }


def _decision(one: Decision) -> plan.Decision:
    return plan.Decision(**{**asdict(one), "reasons": _reasons(one.reasons)})


def _reasons(reasons: Iterable[Any]) -> tuple[reason.Reason, ...]:
    return tuple([_reason(one) for one in reasons])


def _reason(one: Reason) -> reason.Reason:
    if one.about is not None:
        return reason.Reason(code=one.code, rule=one.rule, tag=one.tag, about=one.about)
    of_tag = _TAG_GOES.fullmatch(one.text) if one.code == "tag-goes" else None
    if of_tag is None:
        return reason.Reason(code=one.code, rule=one.rule, about=InWords(text=one.text))
    return reason.Reason(code=one.code, rule=one.rule, tag=of_tag["tag"], about=InWords(text=of_tag["text"]))
