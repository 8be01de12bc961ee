"""Documents as written: as in memory, but each reason has its sentence too, and each removal its fingerprint."""

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, TypeVar

from msgspec import Meta, Struct
from msgspec.structs import asdict, replace

from dockersweep.model import explanation, history, plan, reason
from dockersweep.model.fingerprint import Fingerprint
from dockersweep.model.inventory import ObjectRef, OfObject
from dockersweep.model.reason import About, InWords, ReasonCode
from dockersweep.model.recovery import Recovery


class Reason(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Why an object is kept or removed."""

    code: ReasonCode
    rule: str
    text: str
    """For people: "stopped 10 days ago (limit 24 hours)"."""
    tag: str | None = None
    """The tag of an image, where not all of its tags have the same reasons."""
    about: About | None = None
    """The details; None from an older version."""


# Fields of the subclasses have other types. That is safe: these objects are only read or written.
class Decision(plan.Decision, frozen=True, kw_only=True, gc=False):
    """The decision on one object. Every object of an inventory gets exactly one."""

    reasons: Annotated[tuple[Reason, ...], Meta(min_length=1)]  # type: ignore[assignment]


class Removal(OfObject, frozen=True, kw_only=True, gc=False):
    """One step of a plan: the removal of an object, or of a tag before its image."""

    name: str
    action: Literal["remove", "untag"]
    fingerprint: Fingerprint
    reclaim: plan.Interval
    """What it frees beyond the removals before it: these add up to the plan's total."""
    after: tuple[ObjectRef, ...]
    """Its holders, which this plan removes earlier; if one stays, this object stays."""
    reclaim_alone: plan.Interval | None = None
    """What it frees if everything else stays."""
    layers_held: plan.LayersHeld | None = None
    """Who holds the layers of an image, or the layer of a build-cache record, if it frees far less than its size;
    otherwise None."""
    recovery: Recovery | None = None
    """The way back; None in a plan of an older version."""


class Plan(plan.Plan, frozen=True, kw_only=True):
    """Every decision, and the removals in the order of execution: dockersweep.plan/1."""

    decisions: tuple[Decision, ...]
    removals: tuple[Removal, ...]  # type: ignore[assignment]


class Explanation(explanation.Explanation, frozen=True, kw_only=True):
    """What one object is, the decision on it and why, and what removing it frees: dockersweep.explanation/1."""

    decision: Decision


class GroupExplanation(explanation.GroupExplanation, frozen=True, kw_only=True):
    """The decision on each object of a group and why, and what removing them frees: dockersweep.group/1."""

    decisions: tuple[Decision, ...]


class PastRemoval(history.PastRemoval, frozen=True, kw_only=True):
    """One removal of one run."""

    reasons: tuple[Reason, ...]  # type: ignore[assignment]


class History(history.History, frozen=True, kw_only=True):
    """What the ledger has recorded: the document dockersweep.history/1."""

    removals: tuple[PastRemoval, ...] = ()


_TAG_GOES = re.compile(r"its tag (?P<tag>\S+) goes, which gives back 0 bytes: (?P<text>.*)", re.DOTALL)
"""How 0.1.0 wrote the tag of a reason."""

Document = TypeVar("Document", bound=Struct)
_Holder = TypeVar("_Holder", plan.Decision, history.PastRemoval)

WRITTEN: dict[type[Struct], type[Struct]] = {
    plan.Plan: Plan,
    explanation.Explanation: Explanation,
    explanation.GroupExplanation: GroupExplanation,
    history.History: History,
}
"""Type of a document with reasons -> its written type."""


def to_written(document: Document, text_of: Callable[[reason.Reason], str]) -> Document:
    """Return a document to write; `text_of` returns the sentence of each reason."""
    made: dict[int, Reason] = {}

    def with_text(in_memory: reason.Reason) -> Any:
        # Many objects share a reason.
        if id(in_memory) not in made:
            about = None if isinstance(in_memory.about, InWords) else in_memory.about
            made[id(in_memory)] = Reason(
                code=in_memory.code, rule=in_memory.rule, text=text_of(in_memory), tag=in_memory.tag, about=about
            )
        return made[id(in_memory)]

    def of(holder: _Holder) -> _Holder:
        return replace(holder, reasons=tuple([with_text(own) for own in holder.reasons]))

    if isinstance(document, plan.Plan):
        removals = tuple([_written_removal(removal) for removal in document.removals])
        return replace(document, decisions=tuple([of(decision) for decision in document.decisions]), removals=removals)
    if isinstance(document, explanation.Explanation):
        return replace(document, decision=of(document.decision))
    if isinstance(document, explanation.GroupExplanation):
        return replace(document, decisions=tuple([of(decision) for decision in document.decisions]))
    if isinstance(document, history.History):
        return replace(document, removals=tuple([of(removal) for removal in document.removals]))
    return document


def from_written(document: Struct) -> Struct:
    """Return the in-memory form of a document that was read. Reasons of an older version have only their sentences."""
    if isinstance(document, Plan):
        decisions = tuple([_decision(decision) for decision in document.decisions])
        steps = tuple([_removal(removal) for removal in document.removals])
        return plan.Plan(**{**asdict(document), "decisions": decisions, "removals": steps})
    if isinstance(document, Explanation):
        return explanation.Explanation(**{**asdict(document), "decision": _decision(document.decision)})
    if isinstance(document, GroupExplanation):
        decisions = tuple([_decision(decision) for decision in document.decisions])
        return explanation.GroupExplanation(**{**asdict(document), "decisions": decisions})
    if isinstance(document, History):
        removals = tuple(
            history.PastRemoval(**{**asdict(past), "reasons": _reasons(past.reasons)}) for past in document.removals
        )
        return history.History(**{**asdict(document), "removals": removals})
    return document


def _written_removal(removal: plan.Removal) -> Any:
    return Removal(fingerprint=removal.fingerprint, **_in_both(removal))


def _removal(removal: Removal) -> plan.Removal:
    return plan.Removal(judged=removal.fingerprint, **_in_both(removal))


def _in_both(removal: plan.Removal | Removal) -> dict[str, Any]:
    """Return the fields that a removal has in memory and in a document: all but the fingerprint."""
    return {
        "kind": removal.kind,
        "id": removal.id,
        "name": removal.name,
        "action": removal.action,
        "reclaim": removal.reclaim,
        "after": removal.after,
        "reclaim_alone": removal.reclaim_alone,
        "layers_held": removal.layers_held,
        "recovery": removal.recovery,
    }


def _decision(decision: Decision) -> plan.Decision:
    return plan.Decision(**{**asdict(decision), "reasons": _reasons(decision.reasons)})


def _reasons(reasons: Iterable[Any]) -> tuple[reason.Reason, ...]:
    return tuple([_reason(written) for written in reasons])


def _reason(written: Reason) -> reason.Reason:
    if written.about is not None:
        return reason.Reason(code=written.code, rule=written.rule, tag=written.tag, about=written.about)
    of_tag = _TAG_GOES.fullmatch(written.text) if written.code == "tag-goes" else None
    if of_tag is None:
        return reason.Reason(code=written.code, rule=written.rule, about=InWords(text=written.text))
    return reason.Reason(code=written.code, rule=written.rule, tag=of_tag["tag"], about=InWords(text=of_tag["text"]))
