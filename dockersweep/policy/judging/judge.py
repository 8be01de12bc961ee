"""Judges every object of an inventory: exactly one decision each, with its reasons.

In order of precedence: hard protections, then the policy's protections, then what any rule keeps, then the first rule
that removes, but not what nothing brings back where the policy spares that; what no rule removes is kept. Containers
are judged first, and within a kind each holder before what it holds, so that an object that only removed objects hold
can go in the same plan.
"""

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from datetime import datetime
from functools import cached_property
from itertools import chain
from operator import attrgetter

from dockersweep.model.inventory import KINDS, Image, Kind, Object, ObjectRef
from dockersweep.model.naming import id_of, kind_of, name_of
from dockersweep.model.plan import Decision
from dockersweep.model.policy import Policy, Protection, Remove, Rule
from dockersweep.model.reason import OnlyKinds, Reason
from dockersweep.policy.judging.ages import SINCE_OF
from dockersweep.policy.judging.case import Case
from dockersweep.policy.judging.holders import Holder
from dockersweep.policy.judging.keeping import Places, kept_of_kind
from dockersweep.policy.judging.marks import mark_test
from dockersweep.policy.judging.matching import WHOLE, RuleTest
from dockersweep.policy.judging.old_enough import AgeTest
from dockersweep.policy.judging.order import ORDER, holders_first
from dockersweep.policy.judging.recovery import WaysBack
from dockersweep.policy.judging.refusals import refused
from dockersweep.policy.judging.rule_set import RuleSet
from dockersweep.policy.judging.rulings import OfKind, ReadyRule, Ruling, together
from dockersweep.policy.judging.services import for_unseen_services
from dockersweep.policy.judging.survey import Survey

YOUNGEST = "protect.younger_than"


def in_order(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """Return decisions by kind and then by id."""
    of_kind: dict[Kind, list[Decision]] = {kind: [] for kind in KINDS}
    for decision in decisions:
        of_kind[decision.kind].append(decision)
    return tuple(chain.from_iterable(sorted(of_one, key=attrgetter("id")) for of_one in of_kind.values()))


class Judge:
    """Decides object by object, and remembers which it removes."""

    def __init__(self, survey: Survey, policy: Policy, rules: RuleSet | None = None) -> None:
        """`rules` may be the rule set of the same policy and objects, made for another instant."""
        self.survey = survey
        self.policy = policy
        self.now = now = survey.now
        self.rules = RuleSet(survey, policy) if rules is None else rules
        self._size_of = survey.size_of
        self._going = {kind: bytearray(len(survey.listing.of_kind(kind))) for kind in KINDS}
        """Which objects are removed, by place."""
        self._keeps_unseen = survey.inventory.services is None and policy.protections.unseen_services
        self._not_asked_for = Reason(code="not-asked-for", rule="--kind", about=OnlyKinds(kinds=policy.kinds))
        youngest = policy.protections.younger_than
        self._youngest = None if youngest is None else AgeTest(Remove(older_than=youngest), now, survey.watch, YOUNGEST)
        self._refused = list(refused(survey.inventory, policy, now))
        self._of_kind: dict[Kind, OfKind] = {}
        self.ways_back = WaysBack(survey, policy)
        """How each object can be taken back."""

    def _ready(self, kind: Kind) -> OfKind:
        """Return what judging a kind needs, computed with its first object."""
        ready = self._of_kind.get(kind)
        if ready is None:
            survey = self.survey
            listed = survey.listing.of_kind(kind)
            keeping = kept_of_kind(listed, self.policy, self.rules, self._refused, self.now)
            rules = [
                self._ready_rule(place, rule, kind, keeping.beyond.get(place, {}))
                for place, rule in enumerate(self.policy.rules)
            ]
            ready = self._of_kind[kind] = OfKind(
                listed=listed,
                holders=survey.holders.of_kind(kind),
                build_uses=survey.build_uses(kind),
                since_of=SINCE_OF[kind],
                never_removed=survey.never_removed(kind),
                protected=self.rules.protected_of(kind),
                is_asked_for=kind in self.policy.kinds,
                kept=keeping.kept,
                rules=[rule for rule in rules if rule is not None],
                silences={},
            )
        return ready

    def _ready_rule(self, place: int, rule: Rule, kind: Kind, beyond: Places) -> ReadyRule | None:
        if kind not in rule.kinds:
            return None
        age = None if rule.remove is None else AgeTest(rule.remove, self.now, self.survey.watch, kind=kind)
        marks = mark_test(rule, self.survey.inventory, self.now)
        test = self.rules.tests[place]
        counted = None if rule.keep is None else self.rules.counted(place, kind)
        return ReadyRule(rule.name, test, age, marks, counted, beyond, self.policy.only_target)

    def branch(self) -> "Judge":
        """Return a judge with the same decisions so far; later decisions of one do not change the other."""
        other = copy(self)
        other._going = {kind: bytearray(gone) for kind, gone in self._going.items()}
        return other

    @cached_property
    def _held_by(self) -> dict[ObjectRef, list[ObjectRef]]:
        held_by: dict[ObjectRef, list[ObjectRef]] = {}
        for ref, holds in self.survey.holders.items():
            for hold in holds:
                held_by.setdefault(hold.by, []).append(ref)
        return held_by

    def idle_protections(self) -> tuple[Protection, ...]:
        """Return the patterns that match no object."""
        return self.rules.protected.idle()

    def cases(self, kind: Kind) -> Iterator[Case]:
        """Yield the objects of one kind in the order of decisions; each case reflects the decisions made before it."""
        ready = self._ready(kind)
        for place in holders_first(kind, range(len(ready.listed)), self.survey.holders):
            yield self._case(place, ready)

    def decide_all(self) -> list[Decision]:
        """Decide every object, holders first."""
        decisions: list[Decision] = []
        for kind in ORDER:
            ready = self._ready(kind)
            decisions += [self._decide(case, ready) for case in self.cases(kind)]
        return decisions

    def decide_removals(self, kinds: Sequence[Kind] = ORDER) -> list[Case]:
        """Return the objects to remove, decided as by `decide_all`; `kinds` are the first of `ORDER`."""
        going: list[Case] = []
        for kind in kinds:
            ready = self._ready(kind)
            going += [case for case in self.cases(kind) if self._decide_removal(case, ready)]
        return going

    def _decide_removal(self, case: Case, ready: OfKind) -> bool:
        """Decide an object as `_decide` does, without reasons."""
        if self._barring(case, ready) or self._unrecoverable(case):
            return False
        units = _units(case.item)
        if len(units) > 1:
            ready = ready.of_tags(case)
        for unit in units:
            if ready.remover(case, unit, []) is None:
                return False
        self._going[case.kind][case.place] = True
        return True

    def decide(self, case: Case) -> Decision:
        """Decide one object; its holders of the same kind and all containers must have been decided."""
        return self._decide(case, self._ready(case.kind))

    def _decide(self, case: Case, ready: OfKind) -> Decision:
        item = case.item
        tags = item.tags if type(item) is Image else ()
        barring = self._barring(case, ready)
        if barring:
            kept = ready.kept_reasons(case, tags or WHOLE) if case.place in ready.kept else ()
            return self.decision(case, False, barring + kept)
        if len(tags) > 1:
            return self._decide_tags(case, tags, ready.of_tags(case))
        ruling = ready.of_whole(case, tags[0] if tags else None)
        lost = self._unrecoverable(case) if ruling.removes else ()
        return self.decision(case, ruling.removes and not lost, lost or ruling.reasons)

    def _decide_tags(self, case: Case, tags: Sequence[str], ready: OfKind) -> Decision:
        """Decide an image with several tags, each of which is judged by itself."""
        rulings: list[tuple[str | None, Ruling]] = []
        removals: dict[str, Ruling] = {}
        silence: Ruling | None = None
        for tag in tags:
            ruling = ready.ruling(case, tag, removals)
            if ruling is None:
                ruling = silence = silence or ready.silence(case)
            rulings.append((tag, ruling))
        removes = all(of_tag.removes for _, of_tag in rulings)
        lost = self._unrecoverable(case) if removes else ()
        if lost:
            return self.decision(case, False, lost)
        reasons, untag = together(rulings, removes)
        return self.decision(case, removes, reasons, untag)

    def decide_again(self, ref: ObjectRef) -> Decision:
        """Return the decision of an object once all are decided."""
        return self.decide(self.case(self.survey.objects[ref]))

    def held_by(self, ref: ObjectRef) -> Sequence[ObjectRef]:
        """Return the objects that an object holds."""
        return self._held_by.get(ref, ())

    def case(self, item: Object) -> Case:
        """Return an object with its holders, by the decisions so far."""
        ready = self._ready(kind_of(item))
        return self._case(ready.listed.places[id_of(item)], ready)

    def _case(self, place: int, ready: OfKind) -> Case:
        listed = ready.listed
        kind, own, item = listed.kind, listed.ids[place], listed.items[place]
        holders = ready.holders[place]
        staying, going = self._parted(holders) if holders else ((), ())
        used_until = ready.build_uses.get(own, ()) if ready.build_uses else ()
        if going:
            known = _used_until(kind, going)
            if known is None:
                return Case(item, kind, own, place, staying, going, None, None, None)
            used_until = known + used_until
        since = ready.since_of(item, used_until)
        age = None if since is None else since.seconds(self.now)
        return Case(item, kind, own, place, staying, going, used_until, since, age)

    def _parted(self, holders: tuple[Holder, ...]) -> tuple[tuple[Holder, ...], tuple[Holder, ...]]:
        """Return the holders that stay and those that are removed, by the decisions so far."""
        gone = self._going
        if len(holders) == 1:
            return ((), holders) if gone[holders[0].about.kind][holders[0].place] else (holders, ())
        staying = tuple([hold for hold in holders if not gone[hold.about.kind][hold.place]])
        if not staying or len(staying) == len(holders):
            return (staying, ()) if staying else ((), holders)
        return staying, tuple([hold for hold in holders if gone[hold.about.kind][hold.place]])

    def barring(self, case: Case, tags: Sequence[str] | None = None) -> tuple[Reason, ...]:
        """Return every reason against removing an object that no rule and no target overrides, those of `keep`
        included; with `tags`, against removing these tags of an image that stays."""
        ready = self._ready(case.kind)
        units = _units(case.item) if tags is None else tags
        lost = self._unrecoverable(case) if tags is None else ()
        return (*self._barring(case, ready), *lost, *ready.kept_reasons(case, units))

    def _unrecoverable(self, case: Case) -> tuple[Reason, ...]:
        """Return why an object as a whole is kept that nothing brings back, where the policy keeps such objects."""
        return self.ways_back.objection(case.item) if self.policy.only_recoverable else ()

    def decision(self, case: Case, removes: bool, reasons: tuple[Reason, ...], untag: tuple[str, ...] = ()) -> Decision:
        """Return the decision, and remember a removal."""
        item, since = case.item, case.since
        if removes:
            self._going[case.kind][case.place] = True
        return Decision(
            kind=case.kind,
            id=case.id,
            name=_name_left(item, untag) if untag else name_of(item),
            verdict="remove" if removes else "keep",
            size_bytes=self._size_of(item),
            age_seconds=case.age_seconds,
            age_source=None if since is None else since.source,
            reasons=reasons,
            untag=untag,
        )

    def rulings(self, case: Case) -> Iterator[tuple[RuleTest, Ruling | None]]:
        """Yield how each rule alone decides an object, in order: None where it does not match it.

        A rule that keeps one tag of an image keeps the image.
        """
        ready = self._ready(case.kind)
        for rule in ready.rules:
            if not rule.units(case):
                yield rule.test, None
                continue
            every = ready.kept_reasons(case, _units(case.item))
            kept = tuple(reason for reason in every if reason.rule == rule.name)
            yield rule.test, Ruling(False, kept) if kept else rule.ruling(case)

    def _barring(self, case: Case, ready: OfKind) -> tuple[Reason, ...]:
        # Appended one by one: most objects have no reason, most others one.
        reasons = ready.never_removed.get(case.place, ())
        if case.staying:
            reasons += tuple([hold.reason for hold in case.staying])
        if case.place in ready.protected:
            reasons += ready.protected[case.place]
        if self._keeps_unseen:
            reasons += for_unseen_services(case.item)
        youngest = self._youngest
        if youngest is not None and (
            case.since is None or youngest.latest is None or case.since.instant > youngest.latest
        ):
            objection = youngest.objection(case)
            if objection is not None:
                reasons += (Reason(code=objection.code, rule="protection", about=objection.about),)
        return reasons if ready.is_asked_for else (*reasons, self._not_asked_for)


def _used_until(kind: Kind, going: Sequence[Holder]) -> tuple[datetime, ...] | None:
    """Return when the removed holders last used an object; None where one may have used it a moment ago."""
    known = tuple([hold.until for hold in going if hold.until is not None])
    is_known = len(known) == len(going) or all(hold.until or hold.about.kind != "container" for hold in going)
    return known if is_known or kind == "container" else None


def _name_left(item: Object, untag: tuple[str, ...]) -> str:
    """Return the name of an object after the plan: one of the tags that stay."""
    if untag and isinstance(item, Image):
        return next(tag for tag in item.tags if tag not in untag)
    return name_of(item)


def _units(item: Object) -> Sequence[str | None]:
    """Return what is judged one by one: the tags of an image that has any, otherwise the whole object."""
    return item.tags if type(item) is Image and item.tags else WHOLE
