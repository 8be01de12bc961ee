"""How the rules of a policy decide one object, and why."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.model.inventory import Image
from dockersweep.model.listed import Listed
from dockersweep.model.reason import Fact, Reason, Recoverable
from dockersweep.policy.judging.ages import Since
from dockersweep.policy.judging.case import Case
from dockersweep.policy.judging.holders import Holder
from dockersweep.policy.judging.keeping import Kept, Places
from dockersweep.policy.judging.marks import MarkTest
from dockersweep.policy.judging.matching import RuleTest, Units
from dockersweep.policy.judging.old_enough import AgeTest
from dockersweep.policy.judging.owners import owner_of
from dockersweep.policy.judging.recovery import reference_of, was_not_built
from dockersweep.policy.judging.rule_set import Counted

_ONLY_HERE = Fact(name="only-here")
_ONLY_KEEPS = Fact(name="only-keeps")
_ONLY_TARGET = Fact(name="only-target")
NOT_NAMED = Reason(code="no-rule", rule="no rule", about=Fact(name="no-rule-matches"))


class Ruling(Struct, frozen=True, gc=False):
    """How the rules decide one object, or one tag of an image."""

    removes: bool
    reasons: tuple[Reason, ...]


class ReadyRule(Struct, frozen=True):
    """A rule compiled for the objects of one kind."""

    name: str
    test: RuleTest
    age: AgeTest | None
    """None where the rule only keeps."""
    marks: MarkTest | None
    """None where it asks for no marks."""
    counted: Counted | None
    """What it matches, where it has a `keep` and so was computed already."""
    beyond: Places
    """The positions of what it counted and did not keep."""
    only_target: bool = False
    """Whether no rule removes anything, as only the space target may."""
    of_tags: Units | None = None
    """What it matches of the image at hand, where that has several tags."""

    def units(self, case: Case) -> Units:
        """Return what it matches of an object."""
        if self.of_tags is not None:
            return self.of_tags
        return self.test.units(case.item) if self.counted is None else self.counted.units[case.place]

    def objection(self, case: Case) -> Reason | None:
        """Return why it does not remove an object that it matches and does not keep; None where it does."""
        if self.age is None:
            return Reason(code="no-rule", rule=self.name, about=_ONLY_KEEPS)
        doubt = self.test.doubt(case.item) if self.test.may_doubt else None
        if doubt is not None:
            return Reason(code="no-rule", rule=self.name, about=doubt)
        if case.going and self.age.is_after_container:
            objection = self.age.objection_after_containers(case)
            if objection is not None:
                return Reason(code=objection.code, rule=self.name, about=objection.about)
        if self.age.latest is None or case.since is None or case.since.instant > self.age.latest:
            objection = self.age.objection(case)
            if objection is not None:
                return Reason(code=objection.code, rule=self.name, about=objection.about)
        marked = None if self.marks is None else self.marks.of(case.ref)
        if marked is not None and not marked.is_long_enough:
            return marked.reason
        return Reason(code="no-rule", rule=self.name, about=_ONLY_TARGET) if self.only_target else None

    def removal(self, case: Case) -> Ruling:
        """Return the ruling that removes an object; only where it has no objection."""
        assert self.age is not None
        age = self.age.reached(case)
        old_enough = Reason(code="old-enough", rule=self.name, about=age)
        places = self.beyond.get(case.id, ()) if self.beyond else ()
        beyond = [Reason(code="beyond", rule=self.name, about=place) for place in places]
        marked = () if self.marks is None else (self.marks.of(case.ref).reason,)
        return Ruling(True, (old_enough, *beyond, *marked, *removal_notes(case, self.name)))

    def ruling(self, case: Case) -> Ruling:
        """Return how it alone decides an object that it matches and does not keep."""
        objection = self.objection(case)
        return self.removal(case) if objection is None else Ruling(False, (objection,))


class OfKind(Struct, frozen=True):
    """What judging the objects of one kind needs; mappings and sequences are by place unless they say otherwise."""

    listed: Listed
    holders: Sequence[tuple[Holder, ...]]
    build_uses: Mapping[str, tuple[datetime, ...]]
    """Id -> when builds last used the object."""
    since_of: Callable[[Any, Sequence[datetime]], Since | None]
    """As `ages.since_of`."""
    never_removed: Mapping[int, tuple[Reason, ...]]
    protected: Mapping[int, tuple[Reason, ...]]
    """What the policy protects."""
    is_asked_for: bool
    """Whether the policy is for this kind."""
    kept: Kept
    """What rules keep, and what the engine refused."""
    rules: Sequence[ReadyRule]
    silences: dict[tuple[int, ...], tuple[Reason, ...]]
    """Cache of the reasons why no rule matches an object, shared by many objects. Keyed by the identities of the single
    reasons, each of which exists once."""

    def of_tags(self, case: Case) -> "OfKind":
        """Return the same for one image with several tags, maybe thousands: what each rule matches is computed once."""
        return replace(self, rules=[replace(rule, of_tags=rule.units(case)) for rule in self.rules])

    def remover(self, case: Case, unit: str | None, objections: list[Reason]) -> ReadyRule | None:
        """Return the first rule that removes a tag, or an object without tags; None where it is kept.

        Adds the objections of the rules before it to `objections`.
        """
        if self._kept(case, unit):
            return None
        for rule in self.rules:
            if unit in rule.units(case):
                objection = rule.objection(case)
                if objection is None:
                    return rule
                objections.append(objection)
        return None

    def _kept(self, case: Case, unit: str | None) -> tuple[Reason, ...]:
        return self.kept[case.place].get(unit, ()) if case.place in self.kept else ()

    def of_whole(self, case: Case, unit: str | None) -> Ruling:
        """Return how the rules decide an object that is judged as a whole: all but images with several tags.

        `unit` is its only tag, or None.
        """
        kept = self._kept(case, unit)
        if kept:
            return Ruling(False, kept)
        silence: list[Reason] = []
        objections: list[Reason] = []
        for rule in self.rules:
            counted = rule.counted
            why_not = rule.test.why_not(case.item) if counted is None else counted.why_not[case.place]
            if why_not is not None:
                silence.append(why_not)
                continue
            objection = rule.objection(case)
            if objection is None:
                return rule.removal(case)
            objections.append(objection)
        # Once a rule matches, the mismatches of others are no reasons.
        return Ruling(False, tuple(objections) if objections else self._shared(silence))

    def _shared(self, silence: Sequence[Reason]) -> tuple[Reason, ...]:
        known = tuple(map(id, silence))
        shared = self.silences.get(known)
        if shared is None:
            shared = self.silences[known] = tuple(silence) or (NOT_NAMED,)
        return shared

    def ruling(self, case: Case, unit: str | None, removals: dict[str, Ruling]) -> Ruling | None:
        """Return the ruling on one tag: the removal by a rule, or the reasons of all rules that keep or spare it.

        None where no rule matches it. `removals` maps rule name -> ruling for the image's other tags, and gets this
        one: it lists every holder of the image, so a thousand tags share it.
        """
        objections: list[Reason] = []
        rule = self.remover(case, unit, objections)
        if rule is not None:
            if rule.name not in removals:
                removals[rule.name] = rule.removal(case)
            return removals[rule.name]
        # Once a rule matches, the mismatches of others are no reasons.
        reasons = tuple(objections) or self._kept(case, unit)
        return Ruling(False, reasons) if reasons else None

    def silence(self, case: Case) -> Ruling:
        """Return the ruling on tags of an image that no rule matches."""
        item = case.item
        reasons = [rule.test.why_not(item) or rule.test.other_tags_only for rule in self.rules]
        return Ruling(False, tuple(reasons) or (NOT_NAMED,))

    def kept_reasons(self, case: Case, units: Sequence[str | None]) -> tuple[Reason, ...]:
        """Return every reason to keep any of these tags, or None for an object without tags."""
        kept = self.kept.get(case.place)
        return () if kept is None else tuple([reason for unit in units for reason in kept.get(unit, ())])


def removal_notes(case: Case, rule: str) -> Sequence[Reason]:
    """Return further reasons to show for a removal: holders that go too, how to get it back, its project."""
    item = case.item
    reasons = [Reason(code="released", rule=rule, about=hold.about) for hold in case.going] if case.going else []
    if type(item) is Image:
        reasons += _image_notes(item, rule)
    owner = owner_of(item)
    if owner is not None:
        reasons.append(Reason(code="project", rule=rule, about=owner))
    return reasons


def _image_notes(image: Image, rule: str) -> Iterator[Reason]:
    if image.in_registry and not image.tags:
        # The containerd store forgets the name by which an image was pulled when the tag moves on.
        yield Reason(code="recoverable", rule=rule, about=_recoverable(image))
    if image.in_registry is False and (image.tags or was_not_built(image)):
        # Nobody misses what builds leave without a tag.
        yield Reason(code="only-here", rule=rule, about=_ONLY_HERE)


def _recoverable(image: Image) -> Recoverable:
    answer = image.registry_answer
    asked_at = None if answer is None or answer.reference is None else answer.asked_at
    return Recoverable(digest=reference_of(image), asked_at=asked_at)


def together(rulings: Sequence[tuple[str | None, Ruling]], removes: bool) -> tuple[tuple[Reason, ...], tuple[str, ...]]:
    """Return the reasons of all tags of an image, and the tags to remove where the image stays."""
    first = rulings[0][1]
    if all(ruling is first or ruling == first for _, ruling in rulings):
        return first.reasons, ()
    if removes:
        return tuple(replace(reason, tag=tag) for tag, ruling in rulings for reason in ruling.reasons), ()
    # Reasons to keep come first.
    keeping = [replace(reason, tag=tag) for tag, ruling in rulings if not ruling.removes for reason in ruling.reasons]
    going = [(tag, ruling.reasons) for tag, ruling in rulings if tag is not None and ruling.removes]
    reasons = [
        Reason(code="tag-goes", rule=reason.rule, tag=tag, about=reason.about)
        for tag, of_tag in going
        for reason in of_tag
        if reason.code in ("old-enough", "beyond")
    ]
    return (*keeping, *reasons), tuple(tag for tag, _ in going)
