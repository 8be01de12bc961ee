"""Marks: since when an object has been a candidate for removal by a rule with remove.marked_for."""

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
    """Return a hash of a rule without its marked_for: when anything else of it changes, its marks start over."""
    without = replace(rule, remove=None if rule.remove is None else replace(rule.remove, marked_for=None))
    # Slow to import, and few policies use marks.
    from hashlib import sha256

    return sha256(encode(without)).hexdigest()[:16]


def marking_rules(policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield the name and the terms of each rule that marks."""
    for rule in policy.rules:
        if _asked(rule) is not None:
            yield rule.name, terms_of(rule)


def candidates(decisions: Iterable[Decision], policy: Policy, now: datetime) -> Iterator[Mark]:
    """Yield a mark for each candidate of now; the ledger keeps the earlier mark of one that has been marked before."""
    terms = dict(marking_rules(policy))
    if not terms:
        return
    for decision in decisions:
        for rule in dict.fromkeys(reason.rule for reason in decision.reasons if reason.code == "marked"):
            yield Mark(kind=decision.kind, id=decision.id, rule=rule, terms=terms[rule], marked_at=now)


def _asked(rule: Rule) -> Age | None:
    """Return how long an object has to be a candidate of a rule; None where the rule does not ask."""
    age = None if rule.remove is None else rule.remove.marked_for
    return None if age is None or age.is_zero else age


class Marked(Struct, frozen=True):
    """Whether a candidate has been marked for long enough, and the reason either way."""

    is_long_enough: bool
    reason: Reason


class MarkTest:
    """How long the objects of an inventory have been candidates of one rule."""

    def __init__(self, rule: Rule, age: Age, inventory: Inventory, now: datetime) -> None:
        self._rule, self._age, self._now = rule.name, age, now
        self._since: Mapping[ObjectRef, datetime] | None = None
        if inventory.marks is not None:
            of_rule = (mark for mark in inventory.marks if (mark.rule, mark.terms) == (rule.name, terms_of(rule)))
            self._since = {mark.ref: mark.marked_at for mark in of_rule}

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
    """Yield the instants from which an object is marked for long enough, one for each rule."""
    ages = {(rule.name, terms_of(rule)): age for rule in policy.rules if (age := _asked(rule)) is not None}
    for mark in inventory.marks or ():
        age = ages.get((mark.rule, mark.terms))
        if age is not None and (mark.kind, mark.id) == (ref.kind, ref.id):
            yield age.after(mark.marked_at)
