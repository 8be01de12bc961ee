"""Judges every object of an inventory: exactly one decision each, with its reasons.

Who wins: hard protections, then the policy's protections, then what any rule keeps, then the first rule that removes;
what no rule removes is kept. Containers are judged first, and within a kind what holds another before what it holds,
so that what only removed objects hold is released in the same plan.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from dockersweep.model.inventory import KINDS, Image, Inventory, Kind, Object
from dockersweep.model.naming import name_of, objects_of
from dockersweep.model.plan import Decision, ObjectRef, Reason
from dockersweep.model.policy import Policy, Protection, Remove
from dockersweep.policy.ages import Since, since_of
from dockersweep.policy.matching import RuleTest
from dockersweep.policy.old_enough import AgeTest
from dockersweep.policy.order import holders_first
from dockersweep.policy.protections import HardProtections, PolicyProtections
from dockersweep.policy.references import Hold, Holds, find_holds
from dockersweep.policy.retention import Unit, kept_by
from dockersweep.policy.sizes import Sizes

NOT_NAMED = Reason(code="no-rule", rule="no rule", text="no rule speaks of it")


def evaluate(inventory: Inventory, policy: Policy, now: datetime, holds: Holds | None = None) -> tuple[Decision, ...]:
    """Return a decision for every object, by kind and then by id. `holds` are those of the inventory, if known."""
    judge = Judge(inventory, policy, now, find_holds(inventory, now) if holds is None else holds)
    return in_order(judge.decide(judge.case(*one)) for kind in KINDS for one in judge.holders_first(kind))


def in_order(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """Return decisions by kind and then by id."""
    return tuple(sorted(decisions, key=lambda decision: (KINDS.index(decision.kind), decision.id)))


class Case(NamedTuple):
    """One object, and what its age depends on."""

    seen: Object
    ref: ObjectRef
    staying: tuple[Hold, ...]
    going: tuple[Hold, ...]
    """Those that hold it and go in the same plan."""
    used_until: tuple[datetime, ...] | None
    """When these last used it; None where that is not known of one of them."""
    since: Since | None


class Ruling(NamedTuple):
    """What the rules say of one object, or of one tag of an image."""

    removes: bool
    reasons: tuple[Reason, ...]


class _Rule(NamedTuple):
    test: RuleTest
    age: AgeTest | None
    """None where the rule only keeps."""


class Judge:
    """Decides object by object and remembers what goes."""

    def __init__(self, inventory: Inventory, policy: Policy, now: datetime, holds: Holds) -> None:
        self._holds = holds
        self._sizes = Sizes(inventory)
        self._inventory = inventory
        self._policy = policy
        self.now = now
        self._going: set[ObjectRef] = set()
        self._hard = HardProtections(inventory)
        self._protected = PolicyProtections(policy.protections)
        youngest = policy.protections.younger_than
        self._youngest = None if youngest is None else AgeTest(Remove(older_than=youngest), now)
        self._rules: dict[Kind, list[_Rule]] = {kind: [] for kind in KINDS}
        self._kept: dict[tuple[Kind, Unit], list[Reason]] = {}
        for rule in policy.rules:
            age = None if rule.remove is None else AgeTest(rule.remove, now)
            made = _Rule(RuleTest(rule, self._sizes.of), age)
            for kind in rule.kinds:
                self._rules[kind].append(made)
                self._keep(kind, made.test)

    @cached_property
    def _held_by(self) -> dict[ObjectRef, list[ObjectRef]]:
        held_by: dict[ObjectRef, list[ObjectRef]] = {}
        for ref, holds in self._holds.items():
            for hold in holds:
                held_by.setdefault(hold.by, []).append(ref)
        return held_by

    def _keep(self, kind: Kind, test: RuleTest) -> None:
        """Count what a rule keeps; what is in use takes its place in the count like all others."""
        if test.rule.keep is None:
            return
        spoken_of = [
            (seen, tuple(tag for tag in test.units(seen) if tag is not None))
            for seen in objects_of(self._inventory, kind)
            if test.speaks_of(seen)
        ]
        for unit, texts in kept_by(test.rule.keep, spoken_of, self.now).items():
            reasons = [Reason(code="kept", rule=test.rule.name, text=text) for text in texts]
            self._kept.setdefault((kind, unit), []).extend(reasons)

    def idle_protections(self) -> tuple[Protection, ...]:
        """Return the patterns that protect none of the objects that were decided."""
        return self._protected.idle()

    def holders_first(self, kind: Kind) -> Iterator[tuple[ObjectRef, Object]]:
        """Yield the objects of one kind in the order in which they have to be decided."""
        return holders_first(objects_of(self._inventory, kind), self._holds)

    def decide(self, case: Case) -> Decision:
        """Decide; everything of the same kind that holds it, and every container, must have been decided."""
        untag: tuple[str, ...] = ()
        reasons = tuple(self._barring(case))
        removes = False
        if reasons:
            reasons += tuple(reason for _, kept in self._kept_units(case) for reason in kept)
        else:
            units = _units(case.seen)
            if len(units) == 1:
                removes, reasons = self._ruling(case, units[0])
            else:
                rulings = [(unit, self._ruling(case, unit)) for unit in units]
                removes = all(ruling.removes for _, ruling in rulings)
                reasons, untag = _together(rulings, removes)
        return self.decision(case, removes, reasons, untag)

    def held_by(self, ref: ObjectRef) -> Sequence[ObjectRef]:
        """Return the objects that an object holds."""
        return self._held_by.get(ref, ())

    def case(self, ref: ObjectRef, seen: Object) -> Case:
        """Return an object with what holds it, as far as is decided."""
        holds = self._holds.get(ref)
        if not holds:
            return Case(seen, ref, (), (), (), since_of(seen, ()))
        going = tuple(hold for hold in holds if hold.by in self._going)
        staying = tuple(hold for hold in holds if hold.by not in self._going)
        used_until = tuple(hold.until for hold in going if hold.until is not None)
        if ref.kind != "container" and any(hold.until is None and hold.by.kind == "container" for hold in going):
            # Its last use is not known, and may have been a moment ago.
            return Case(seen, ref, staying, going, None, None)
        return Case(seen, ref, staying, going, used_until, since_of(seen, used_until))

    def barring(self, case: Case) -> tuple[Reason, ...]:
        """Return all that forbids the removal of an object whatever a rule or a target asks for, what rules keep
        included."""
        kept = (reason for _, reasons in self._kept_units(case) for reason in reasons)
        return (*self._barring(case), *kept)

    def decision(self, case: Case, removes: bool, reasons: tuple[Reason, ...], untag: tuple[str, ...] = ()) -> Decision:
        """Return the decision, and remember what goes."""
        seen, since = case.seen, case.since
        if removes:
            self._going.add(case.ref)
        return Decision(
            kind=case.ref.kind,
            id=case.ref.id,
            name=name_of(seen),
            verdict="remove" if removes else "keep",
            size_bytes=self._sizes.of(seen),
            age_seconds=None if since is None else int((self.now - since.instant).total_seconds()),
            age_source=None if since is None else since.source,
            reasons=reasons,
            untag=untag,
        )

    def rulings(self, case: Case) -> Iterator[tuple[str, Ruling | None]]:
        """Yield what each rule of its kind by itself says of an object, in order: None where it does not speak of it.

        A rule that keeps a part of it, one tag of an image, is told with that.
        """
        for rule in self._rules[case.ref.kind]:
            if not rule.test.speaks_of(case.seen):
                yield rule.test.rule.name, None
                continue
            kept = tuple(
                reason for _, reasons in self._kept_units(case) for reason in reasons
                if reason.rule == rule.test.rule.name
            )  # fmt: skip
            if kept:
                yield rule.test.rule.name, Ruling(False, kept)
                continue
            against = _against(rule, case)
            if against is None:
                yield rule.test.rule.name, Ruling(True, tuple(self._removing(rule, case)))
            else:
                yield rule.test.rule.name, Ruling(False, (against,))

    def _kept_units(self, case: Case) -> Iterator[tuple[str | None, list[Reason]]]:
        if self._kept:
            for unit in _units(case.seen):
                reasons = self._kept.get((case.ref.kind, (case.ref.id, unit)))
                if reasons:
                    yield unit, reasons

    def _barring(self, case: Case) -> Iterator[Reason]:
        yield from self._hard.of(case.seen, bool(case.staying or case.going))
        yield from (Reason(code="in-use", rule="hard protection", text=hold.text) for hold in case.staying)
        yield from self._protected.of(case.seen)
        if self._youngest is not None:
            against = self._youngest.against(case.seen, case.since, case.used_until)
            if against is not None:
                yield Reason(code=against.code, rule="protection", text=f"{against.text} (protect.younger_than)")
        if case.ref.kind not in self._policy.kinds:
            asked = " and ".join(self._policy.kinds)
            yield Reason(code="not-asked-for", rule="--kind", text=f"only {asked} is asked for")

    def _ruling(self, case: Case, unit: str | None) -> Ruling:
        """Return whether a rule removes it, and the word of that rule, or of all that keep it or do not remove it."""
        rules = self._rules[case.ref.kind]
        kept = self._kept.get((case.ref.kind, (case.ref.id, unit))) if self._kept else None
        if kept:
            return Ruling(False, tuple(kept))
        against = []
        for rule in rules:
            if not rule.test.speaks_of(case.seen) or not _speaks_of_unit(rule.test, unit):
                continue
            reason = _against(rule, case)
            if reason is None:
                return Ruling(True, tuple(self._removing(rule, case)))
            against.append(reason)
        # Where one rule speaks of it, what others speak of says nothing.
        return Ruling(False, tuple(against) or tuple(_silent(rules, case.seen)) or (NOT_NAMED,))

    def _removing(self, rule: _Rule, case: Case) -> Iterator[Reason]:
        name = rule.test.rule.name
        if rule.age is not None:
            yield Reason(code="old-enough", rule=name, text=rule.age.words(case.seen, case.since, case.used_until))
        yield from released(case, name)


def released(case: Case, rule: str) -> Iterator[Reason]:
    """Yield what else is to be said of an object that goes."""
    for hold in case.going:
        yield Reason(code="released", rule=rule, text=f"{hold.text}, which goes too")
    if isinstance(case.seen, Image) and case.seen.in_registry and not case.seen.tags:
        # The containerd store forgets by which name an image was pulled when its tag moves on.
        by = f" as {case.seen.digests[0]}" if case.seen.digests else ": it was pulled from a registry or pushed to one"
        yield Reason(code="recoverable", rule=rule, text=f"can be pulled again{by}")


def _units(seen: Object) -> Sequence[str | None]:
    """Return what is judged by itself: each tag of an image that has any, otherwise the whole."""
    return seen.tags if isinstance(seen, Image) and seen.tags else (None,)


def _speaks_of_unit(test: RuleTest, unit: str | None) -> bool:
    return unit is None or not test.asks_of_tags or test.speaks_of_name(unit)


def _together(
    rulings: Sequence[tuple[str | None, Ruling]], removes: bool
) -> tuple[tuple[Reason, ...], tuple[str, ...]]:
    """Return the reasons of all tags of an image, and the tags that go while it stays."""
    if len({ruling for _, ruling in rulings}) == 1:
        return rulings[0][1].reasons, ()
    if removes:
        return tuple(_of_tag(tag, one) for tag, ruling in rulings for one in ruling.reasons), ()
    reasons: list[Reason] = []
    untag: list[str] = []
    for tag, ruling in rulings:
        first = ruling.reasons[0]
        if tag is not None and ruling.removes:
            untag.append(tag)
            text = f"its tag {tag} goes, which gives back 0 bytes: {first.text}"
            reasons.append(Reason(code="tag-goes", rule=first.rule, text=text))
        else:
            reasons += [_of_tag(tag, one) for one in ruling.reasons]
    # What keeps it is told first.
    reasons.sort(key=lambda reason: reason.code == "tag-goes")
    return tuple(reasons), tuple(untag)


def _of_tag(tag: str | None, reason: Reason) -> Reason:
    return Reason(code=reason.code, rule=reason.rule, text=f"{tag}: {reason.text}")


def _silent(rules: Sequence[_Rule], seen: Object) -> Iterator[Reason]:
    for rule in rules:
        text = "it speaks of other tags only" if rule.test.speaks_of(seen) else rule.test.why_not(seen)
        yield Reason(code="no-rule", rule=rule.test.rule.name, text=text)


def _against(rule: _Rule, case: Case) -> Reason | None:
    """Return why a rule that speaks of an object, and does not keep it, does not remove it; None where it does."""
    name = rule.test.rule.name
    if rule.age is None:
        return Reason(code="no-rule", rule=name, text="the rule only keeps, and does not keep it")
    doubt = rule.test.doubt(case.seen)
    if doubt is not None:
        return Reason(code="no-rule", rule=name, text=doubt)
    young = rule.age.against(case.seen, case.since, case.used_until)
    return None if young is None else Reason(code=young.code, rule=name, text=young.text)
