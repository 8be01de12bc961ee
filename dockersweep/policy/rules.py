"""Judges every object of an inventory: exactly one decision each, with its reasons.

Who wins: hard protections, then the policy's protections, then what any rule keeps, then the first rule that removes;
what no rule removes is kept. Containers are judged first, and within a kind what holds another before what it holds,
so that what only removed objects hold is released in the same plan.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from operator import attrgetter

from msgspec import Struct

from dockersweep.model.inventory import KINDS, Image, Inventory, Kind, Object
from dockersweep.model.naming import id_of, name_of, objects_of, ref_of
from dockersweep.model.plan import Decision, ObjectRef, Reason, ReasonCode
from dockersweep.model.policy import Policy, Protection, Remove
from dockersweep.policy.ages import Since, since_of
from dockersweep.policy.marks import MarkTest, mark_test
from dockersweep.policy.matching import Facts, RuleTest
from dockersweep.policy.old_enough import AgeTest
from dockersweep.policy.order import ORDER, after_holders
from dockersweep.policy.protections import HardProtections, PolicyProtections
from dockersweep.policy.references import Hold, Holds, find_holds
from dockersweep.policy.refusals import refused
from dockersweep.policy.retention import Unit, kept_by
from dockersweep.policy.services import for_unseen_services
from dockersweep.policy.sizes import Sizes

NOT_NAMED = Reason(code="no-rule", rule="no rule", text="no rule speaks of it")


def evaluate(inventory: Inventory, policy: Policy, now: datetime, holds: Holds | None = None) -> tuple[Decision, ...]:
    """Return a decision for every object, by kind and then by id. `holds` are those of the inventory, if known."""
    return in_order(Judge(inventory, policy, now, find_holds(inventory, now) if holds is None else holds).decide_all())


def in_order(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """Return decisions by kind and then by id."""
    of_kind: dict[Kind, list[Decision]] = {kind: [] for kind in KINDS}
    for decision in decisions:
        of_kind[decision.kind].append(decision)
    return tuple(decision for told in of_kind.values() for decision in sorted(told, key=attrgetter("id")))


class Case(Struct, frozen=True, gc=False):
    """One object, and what its age depends on."""

    seen: Object
    ref: ObjectRef
    staying: tuple[Hold, ...]
    going: tuple[Hold, ...]
    """Those that hold it and go in the same plan."""
    used_until: tuple[datetime, ...] | None
    """When these last used it; None where that is not known of one of them."""
    since: Since | None


class Ruling(Struct, frozen=True, gc=False):
    """What the rules say of one object, or of one tag of an image."""

    removes: bool
    reasons: tuple[Reason, ...]


class _Rule(Struct, frozen=True):
    name: str
    test: RuleTest
    age: AgeTest | None
    """None where the rule only keeps."""
    marks: MarkTest | None
    """None where it asks for no marks."""


class Judge:
    """Decides object by object and remembers what goes."""

    def __init__(
        self, inventory: Inventory, policy: Policy, now: datetime, holds: Holds, hard: HardProtections | None = None
    ) -> None:
        """`hard` are the hard protections of the whole inventory, where `inventory` is only a part of it."""
        self._holds = holds
        self._sizes = Sizes(inventory)
        self._inventory = inventory
        self._policy = policy
        self.now = now
        self._going: set[ObjectRef] = set()
        self._hard = HardProtections(inventory) if hard is None else hard
        facts = Facts(self._sizes.of, self._hard.services.names)
        self._protected = PolicyProtections(policy.protections, self._hard.services)
        self._keeps_unseen = inventory.services is None and policy.protections.unseen_services
        youngest = policy.protections.younger_than
        self._youngest = None if youngest is None else AgeTest(Remove(older_than=youngest), now)
        self._rules: dict[Kind, list[_Rule]] = {kind: [] for kind in KINDS}
        self._kept: dict[Kind, dict[Unit, list[Reason]]] = {}
        for rule in policy.rules:
            age = None if rule.remove is None else AgeTest(rule.remove, now)
            made = _Rule(rule.name, RuleTest(rule, facts), age, mark_test(rule, inventory, now))
            for kind in rule.kinds:
                self._rules[kind].append(made)
                self._keep(kind, made.test)

        for kind, unit, reason in refused(inventory, policy, now):
            self._kept.setdefault(kind, {}).setdefault(unit, []).append(reason)

    @cached_property
    def _held_by(self) -> dict[ObjectRef, list[ObjectRef]]:
        held_by: dict[ObjectRef, list[ObjectRef]] = {}
        for ref, holds in self._holds.items():
            for hold in holds:
                held_by.setdefault(hold.by, []).append(ref)
        return held_by

    def _keep(self, kind: Kind, test: RuleTest) -> None:
        """Count what a rule keeps; what is in use takes its place in the count like all others.

        What it may not mean at all is kept in doubt, and takes no place.
        """
        if test.rule.keep is None:
            return
        spoken_of = [
            (seen, tuple(tag for tag in test.units(seen) if tag is not None))
            for seen in objects_of(self._inventory, kind)
            if test.speaks_of(seen)
        ]
        kept = self._kept.setdefault(kind, {})
        doubts = {id_of(seen): text for seen, _ in spoken_of if (text := test.doubt(seen)) is not None}
        if doubts:
            for seen, tags in spoken_of:
                if id_of(seen) in doubts:
                    reason = Reason(code="kept", rule=test.rule.name, text=f"in doubt: {doubts[id_of(seen)]}")
                    for tag in tags or (None,):
                        kept.setdefault((id_of(seen), tag), []).append(reason)
            spoken_of = [(seen, tags) for seen, tags in spoken_of if id_of(seen) not in doubts]
        for unit, texts in kept_by(test.rule.keep, spoken_of, self.now).items():
            kept.setdefault(unit, []).extend([Reason(code="kept", rule=test.rule.name, text=text) for text in texts])

    def idle_protections(self) -> tuple[Protection, ...]:
        """Return the patterns that protect none of the objects that were decided."""
        return self._protected.idle()

    def holders_first(self, kind: Kind) -> Iterator[tuple[ObjectRef, Object]]:
        """Yield the objects of one kind in the order in which they have to be decided."""
        # In the order of the inventory: in that they lie in memory, and a million of them are more than a cache holds.
        return after_holders({ref_of(seen): seen for seen in objects_of(self._inventory, kind)}, self._holds)

    def decide_all(self) -> list[Decision]:
        """Decide every object, in the order in which they have to be."""
        return [self.decide(self.case(*one)) for kind in ORDER for one in self.holders_first(kind)]

    def decide(self, case: Case) -> Decision:
        """Decide; everything of the same kind that holds it, and every container, must have been decided."""
        barring = self._barring(case)
        if barring:
            return self.decision(case, False, (*barring, *self._kept_reasons(case)))
        units = _units(case.seen)
        words = _Words(self._rules[case.ref.kind], case)
        if len(units) == 1:
            ruling = self._ruling(words, case, units[0])
            return self.decision(case, ruling.removes, ruling.reasons)
        rulings = [(unit, self._ruling(words, case, unit)) for unit in units]
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
        going = tuple([hold for hold in holds if hold.by in self._going])
        if not going:
            return Case(seen, ref, holds, (), (), since_of(seen, ()))
        staying = tuple(hold for hold in holds if hold.by not in self._going) if len(going) < len(holds) else ()
        used_until = tuple([hold.until for hold in going if hold.until is not None])
        is_known = len(used_until) == len(going) or all(hold.until or hold.by.kind != "container" for hold in going)
        if ref.kind != "container" and not is_known:
            # Its last use is not known, and may have been a moment ago.
            return Case(seen, ref, staying, going, None, None)
        return Case(seen, ref, staying, going, used_until, since_of(seen, used_until))

    def barring(self, case: Case, tags: Sequence[str] | None = None) -> tuple[Reason, ...]:
        """Return all that forbids the removal of an object whatever a rule or a target asks for, what rules keep
        included; or that of some tags of an image, which stays."""
        return (*self._barring(case), *self._kept_reasons(case, tags))

    def decision(self, case: Case, removes: bool, reasons: tuple[Reason, ...], untag: tuple[str, ...] = ()) -> Decision:
        """Return the decision, and remember what goes."""
        seen, since = case.seen, case.since
        if removes:
            self._going.add(case.ref)
        return Decision(
            kind=case.ref.kind,
            id=case.ref.id,
            name=_name_left(seen, untag),
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
                yield rule.name, None
                continue
            kept = tuple(reason for reason in self._kept_reasons(case) if reason.rule == rule.name)
            yield rule.name, Ruling(False, kept) if kept else _word(rule, case)

    def _kept_reasons(self, case: Case, units: Sequence[str | None] | None = None) -> Sequence[Reason]:
        kept = self._kept.get(case.ref.kind)
        if not kept:
            return ()
        of_units = _units(case.seen) if units is None else units
        return [reason for unit in of_units for reason in kept.get((case.ref.id, unit), ())]

    def _barring(self, case: Case) -> list[Reason]:
        reasons = list(self._hard.of(case.seen, bool(case.staying or case.going)))
        if case.staying:
            reasons += [Reason(code="in-use", rule="hard protection", text=hold.text) for hold in case.staying]
        reasons += self._protected.of(case.seen)
        if self._keeps_unseen:
            reasons += for_unseen_services(case.seen)
        if self._youngest is not None:
            against = self._youngest.against(case.seen, case.since, case.used_until)
            if against is not None:
                text = f"{against.text} (protect.younger_than)"
                reasons.append(Reason(code=against.code, rule="protection", text=text))
        if case.ref.kind not in self._policy.kinds:
            asked = " and ".join(self._policy.kinds)
            reasons.append(Reason(code="not-asked-for", rule="--kind", text=f"only {asked} is asked for"))
        return reasons

    def _ruling(self, words: "_Words", case: Case, unit: str | None) -> Ruling:
        """Return whether a rule removes it, and the word of that rule, or of all that keep it or do not remove it."""
        kept = self._kept.get(case.ref.kind)
        reasons = kept.get((case.ref.id, unit)) if kept else None
        return Ruling(False, tuple(reasons)) if reasons else words.of(unit)


class _Words:
    """What the rules say of one object. Each is asked once, however many tags an image has."""

    def __init__(self, rules: Sequence[_Rule], case: Case) -> None:
        self._rules = rules
        self._case = case
        self._speaks = [rule.test.speaks_of(case.seen) for rule in rules]
        self._said: dict[int, Ruling] = {}
        self._silence: tuple[Reason, ...] = ()

    def of(self, unit: str | None) -> Ruling:
        """Return the word of the first rule that removes a tag or the whole, or of all that do not."""
        against: list[Reason] = []
        for place, speaks in enumerate(self._speaks):
            if speaks and (unit is None or _speaks_of_unit(self._rules[place].test, unit)):
                ruling = self._said.get(place)
                if ruling is None:
                    ruling = self._said[place] = _word(self._rules[place], self._case)
                if ruling.removes:
                    return ruling
                against += ruling.reasons
        # Where one rule speaks of it, what others speak of says nothing.
        return Ruling(False, tuple(against) or self._why_silent())

    def _why_silent(self) -> tuple[Reason, ...]:
        if not self._silence:
            told = zip(self._rules, self._speaks, strict=True)
            silent = [_silent(rule, speaks, self._case.seen) for rule, speaks in told]
            self._silence = tuple(silent) or (NOT_NAMED,)
        return self._silence


def released(case: Case, rule: str) -> Iterator[Reason]:
    """Yield what else is to be said of an object that goes."""
    for hold in case.going:
        yield Reason(code="released", rule=rule, text=f"{hold.text}, which goes too")
    if type(case.seen) is Image and case.seen.in_registry and not case.seen.tags:
        # The containerd store forgets by which name an image was pulled when its tag moves on.
        by = f" as {case.seen.digests[0]}" if case.seen.digests else ": it was pulled from a registry or pushed to one"
        yield Reason(code="recoverable", rule=rule, text=f"can be pulled again{by}")


def _name_left(seen: Object, untag: tuple[str, ...]) -> str:
    """Return the name that an object has after the plan."""
    if untag and isinstance(seen, Image):
        return next(tag for tag in seen.tags if tag not in untag)
    return name_of(seen)


def _units(seen: Object) -> Sequence[str | None]:
    """Return what is judged by itself: each tag of an image that has any, otherwise the whole."""
    return seen.tags if type(seen) is Image and seen.tags else (None,)


def _speaks_of_unit(test: RuleTest, unit: str) -> bool:
    return not test.asks_of_tags or test.speaks_of_name(unit)


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


def _silent(rule: _Rule, speaks: bool, seen: Object) -> Reason:
    text = "it speaks of other tags only" if speaks else rule.test.why_not(seen)
    return Reason(code="no-rule", rule=rule.name, text=text)


def _word(rule: _Rule, case: Case) -> Ruling:
    """Return whether a rule that speaks of an object, and does not keep it, removes it, and why."""
    name = rule.name
    if rule.age is None:
        return _objection("no-rule", name, "the rule only keeps, and does not keep it")
    doubt = rule.test.doubt(case.seen)
    if doubt is not None:
        return _objection("no-rule", name, doubt)
    young = rule.age.against(case.seen, case.since, case.used_until)
    if young is not None:
        return _objection(young.code, name, young.text)
    old_enough = Reason(code="old-enough", rule=name, text=rule.age.words(case.seen, case.since, case.used_until))
    if rule.marks is None:
        return Ruling(True, (old_enough, *released(case, name)))
    marked = rule.marks.of(case.ref)
    if not marked.is_long_enough:
        return Ruling(False, (marked.reason,))
    return Ruling(True, (old_enough, marked.reason, *released(case, name)))


def _objection(code: ReasonCode, rule: str, text: str) -> Ruling:
    return Ruling(False, (Reason(code=code, rule=rule, text=text),))
