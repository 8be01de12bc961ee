"""Marks: since when an object is a candidate of a rule that wants to see it as one for a while (remove.marked_for)."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.json import encode
from msgspec.structs import replace

from dockersweep.model.age_reasons import Candidate
from dockersweep.model.inventory import Inventory, Mark, ObjectRef
from dockersweep.model.plan import Decision
from dockersweep.model.policy import Policy, Rule
from dockersweep.model.reason import Fact, Reason
from dockersweep.units import Age


def terms_of(rule: Rule) -> str:
    """Return what a rule says, in short, but for how long it wants to see a candidate: other terms mark anew."""
    without = replace(rule, remove=None if rule.remove is None else replace(rule.remove, marked_for=None))
    # Few policies ask for marks, and it takes long to import.
    from hashlib import sha256

    return sha256(encode(without)).hexdigest()[:16]


def marking_rules(policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield the name and the terms of each rule that marks."""
    for rule in policy.rules:
        if _asked(rule) is not None:
            yield rule.name, terms_of(rule)


def candidates(decisions: Iterable[Decision], policy: Policy, now: datetime) -> Iterator[Mark]:
    """Yield a mark for each object that is a candidate now; what is marked already has an earlier one."""
    terms = dict(marking_rules(policy))
    if not terms:
        return
    for decision in decisions:
        for rule in dict.fromkeys(reason.rule for reason in decision.reasons if reason.code == "marked"):
            yield Mark(kind=decision.kind, id=decision.id, rule=rule, terms=terms[rule], marked_at=now)


def _asked(rule: Rule) -> Age | None:
    """Return for how long a rule wants to see a candidate; None where it does not ask."""
    age = None if rule.remove is None else rule.remove.marked_for
    return None if age is None or age.is_zero else age


class Marked(Struct, frozen=True):
    """What the marks say of a candidate of a rule."""

    is_long_enough: bool
    reason: Reason


class MarkTest:
    """How long the objects of an inventory have been candidates of one rule."""

    def __init__(self, rule: Rule, age: Age, inventory: Inventory, now: datetime) -> None:
        self._rule, self._age, self._now = rule.name, age, now
        self._since: Mapping[ObjectRef, datetime] | None = None
        if inventory.marks is not None:
            of_rule = (one for one in inventory.marks if (one.rule, one.terms) == (rule.name, terms_of(rule)))
            self._since = {one.ref: one.marked_at for one in of_rule}

    def of(self, ref: ObjectRef) -> Marked:
        """Return whether a candidate has been one for long enough, with the reason."""
        if self._since is None:
            return Marked(False, Reason(code="age-unknown", rule=self._rule, about=Fact(name="no-ledger")))
        since = self._since.get(ref)
        is_reached = since is not None and since <= self._age.before(self._now)
        seconds = None if since is None else int((self._now - since).total_seconds())
        about = Candidate(seconds=seconds, limit=self._age.text, is_reached=is_reached)
        return Marked(is_reached, Reason(code="marked", rule=self._rule, about=about))


def mark_test(rule: Rule, inventory: Inventory, now: datetime) -> MarkTest | None:
    """Return the test for a rule; None where it asks for no marks."""
    age = _asked(rule)
    return None if age is None else MarkTest(rule, age, inventory, now)


def marked_until(policy: Policy, inventory: Inventory, ref: ObjectRef) -> Iterator[datetime]:
    """Yield the instants at which an object has been a candidate for long enough for a rule."""
    ages = {(rule.name, terms_of(rule)): age for rule in policy.rules if (age := _asked(rule)) is not None}
    for mark in inventory.marks or ():
        age = ages.get((mark.rule, mark.terms))
        if age is not None and (mark.kind, mark.id) == (ref.kind, ref.id):
            yield age.after(mark.marked_at)
