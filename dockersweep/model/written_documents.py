"""Documents as they are written: the same as in memory, but that each reason has its sentence beside its values."""

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

from msgspec import Meta, Struct
from msgspec.structs import asdict, replace

from dockersweep.model import explanation, history, plan, reason
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


class Plan(plan.Plan, frozen=True, kw_only=True):
    """Every decision, and the removals in the order in which they are carried out: dockersweep.plan/1."""

    decisions: tuple[Decision, ...]


class Explanation(explanation.Explanation, frozen=True, kw_only=True):
    """What one object is, what becomes of it and why, and what it would give back: dockersweep.explanation/1."""

    decision: Decision


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
        return replace(document, decisions=tuple([of(one) for one in document.decisions]))
    if isinstance(document, explanation.Explanation):
        return replace(document, decision=of(document.decision))
    if isinstance(document, history.History):
        return replace(document, removals=tuple([of(one) for one in document.removals]))
    return document


def from_written(document: Struct) -> Struct:
    """Return a document that was read as it is in memory. What an older version wrote only has its sentences."""
    if isinstance(document, Plan):
        decisions = tuple([_decision(one) for one in document.decisions])
        return plan.Plan(**{**asdict(document), "decisions": decisions})
    if isinstance(document, Explanation):
        return explanation.Explanation(**{**asdict(document), "decision": _decision(document.decision)})
    if isinstance(document, History):
        removals = tuple(
            history.PastRemoval(**{**asdict(one), "reasons": _reasons(one.reasons)}) for one in document.removals
        )
        return history.History(**{**asdict(document), "removals": removals})
    return document


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
