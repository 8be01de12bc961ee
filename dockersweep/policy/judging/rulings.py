"""What the rules of a policy say of one object, and why."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.model.inventory import Image
from dockersweep.model.last_use import UseAction
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
from dockersweep.policy.judging.rule_set import Counted

_ONLY_HERE = Fact(name="only-here")
_FROM_FILES: tuple[UseAction, ...] = ("loaded", "imported")
"""How images come here that no build makes again."""
_ONLY_KEEPS = Fact(name="only-keeps")
NOT_NAMED = Reason(code="no-rule", rule="no rule", about=Fact(name="no-rule-matches"))


class Ruling(Struct, frozen=True, gc=False):
    """What the rules say of one object, or of one tag of an image."""

    removes: bool
    reasons: tuple[Reason, ...]


class ReadyRule(Struct, frozen=True):
    """A rule, made ready for the objects of one kind."""

    name: str
    test: RuleTest
    age: AgeTest | None
    """None where the rule only keeps."""
    marks: MarkTest | None
    """None where it asks for no marks."""
    counted: Counted | None
    """What it matches, where it has counted that for what it keeps."""
    beyond: Places
    """The places of what it does not keep, where it counts."""
    of_tags: Units | None = None
    """What it matches of an image with several tags, where that is known."""

    def units(self, case: Case) -> Units:
        """Return what it matches in an object."""
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
            waits = self.age.against_from_now(case)
            if waits is not None:
                return Reason(code=waits.code, rule=self.name, about=waits.about)
        if self.age.latest is None or case.since is None or case.since.instant > self.age.latest:
            against = self.age.against(case)
            if against is not None:
                return Reason(code=against.code, rule=self.name, about=against.about)
        if self.marks is None:
            return None
        marked = self.marks.of(case.ref)
        return None if marked.is_long_enough else marked.reason

    def removal(self, case: Case) -> Ruling:
        """Return why it removes an object, where it has no objection."""
        assert self.age is not None
        age = self.age.reached(case)
        old_enough = Reason(code="old-enough", rule=self.name, about=age)
        places = self.beyond.get(case.id, ()) if self.beyond else ()
        beyond = [Reason(code="beyond", rule=self.name, about=place) for place in places]
        marked = () if self.marks is None else (self.marks.of(case.ref).reason,)
        return Ruling(True, (old_enough, *beyond, *marked, *released(case, self.name)))

    def ruling(self, case: Case) -> Ruling:
        """Return what it by itself says of an object that it matches and does not keep."""
        objection = self.objection(case)
        return self.removal(case) if objection is None else Ruling(False, (objection,))


class OfKind(Struct, frozen=True):
    """What is asked of the objects of one kind, made ready. What is known of each goes by its place."""

    listed: Listed
    holders: Sequence[tuple[Holder, ...]]
    build_uses: Mapping[str, tuple[datetime, ...]]
    """When builds last used them, by id."""
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
    """Why no rule matches an object, which most share with many others: by the identities of these reasons, as the
    rules have made each of them once."""

    def of_tags(self, case: Case) -> "OfKind":
        """Return the same for one image with several tags, of which there may be thousands: what each rule matches of
        them is found once."""
        return replace(self, rules=[replace(rule, of_tags=rule.units(case)) for rule in self.rules])

    def remover(self, case: Case, unit: str | None, objections: list[Reason]) -> ReadyRule | None:
        """Return the first rule that removes a tag, or what has none; None where it stays.

        What the rules before it have against that is added to `objections`.
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
        """Return what the rules say of an object that is judged as a whole: of all but images with several tags.

        `unit` is its one tag, or None.
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
        # Where one rule matches it, what others match says nothing.
        return Ruling(False, tuple(objections) if objections else self._shared(silence))

    def _shared(self, silence: Sequence[Reason]) -> tuple[Reason, ...]:
        known = tuple(map(id, silence))
        shared = self.silences.get(known)
        if shared is None:
            shared = self.silences[known] = tuple(silence) or (NOT_NAMED,)
        return shared

    def ruling(self, case: Case, unit: str | None, removals: dict[str, Ruling]) -> Ruling | None:
        """Return whether a rule removes it, with the reasons of that rule, or of all that keep or do not remove it.

        None where no rule says anything of it. `removals` are those of other tags by the names of their rules, and get
        this one: they tell of all that holds the image, and a thousand tags share one.
        """
        objections: list[Reason] = []
        rule = self.remover(case, unit, objections)
        if rule is not None:
            if rule.name not in removals:
                removals[rule.name] = rule.removal(case)
            return removals[rule.name]
        # Where one rule matches it, what others match says nothing.
        against = tuple(objections) or self._kept(case, unit)
        return Ruling(False, against) if against else None

    def silence(self, case: Case) -> Ruling:
        """Return why no rule says anything of some tags of an image."""
        item = case.item
        reasons = [rule.test.why_not(item) or rule.test.other_tags_only for rule in self.rules]
        return Ruling(False, tuple(reasons) or (NOT_NAMED,))

    def kept_reasons(self, case: Case, units: Sequence[str | None]) -> tuple[Reason, ...]:
        """Return why an object is kept by any of these tags, or as one without any."""
        kept = self.kept.get(case.place)
        return () if kept is None else tuple([reason for unit in units for reason in kept.get(unit, ())])


def released(case: Case, rule: str) -> Sequence[Reason]:
    """Return what else is to be said of an object that goes."""
    item = case.item
    reasons = [Reason(code="released", rule=rule, about=hold.about) for hold in case.going] if case.going else []
    if type(item) is Image:
        reasons += _released_image(item, rule)
    owner = owner_of(item)
    if owner is not None:
        reasons.append(Reason(code="project", rule=rule, about=owner))
    return reasons


def _released_image(image: Image, rule: str) -> Iterator[Reason]:
    if image.in_registry and not image.tags:
        # The containerd store forgets by which name an image was pulled when its tag moves on.
        yield Reason(code="recoverable", rule=rule, about=_recoverable(image))
    if image.in_registry is False and (image.tags or any(use.action in _FROM_FILES for use in image.uses)):
        # What builds leave without a tag is nobody's loss.
        yield Reason(code="only-here", rule=rule, about=_ONLY_HERE)


def _recoverable(image: Image) -> Recoverable:
    answer = image.registry_answer
    if answer is not None and answer.reference is not None:
        return Recoverable(digest=answer.reference, asked_at=answer.asked_at)
    return Recoverable(digest=image.digests[0] if image.digests else None)


def together(rulings: Sequence[tuple[str | None, Ruling]], removes: bool) -> tuple[tuple[Reason, ...], tuple[str, ...]]:
    """Return the reasons of all tags of an image, and the tags that go while it stays."""
    first = rulings[0][1]
    if all(ruling is first or ruling == first for _, ruling in rulings):
        return first.reasons, ()
    if removes:
        return tuple(replace(one, tag=tag) for tag, ruling in rulings for one in ruling.reasons), ()
    # What keeps it stands first.
    keeping = [replace(one, tag=tag) for tag, ruling in rulings if not ruling.removes for one in ruling.reasons]
    going = [(tag, ruling.reasons) for tag, ruling in rulings if tag is not None and ruling.removes]
    reasons = [
        Reason(code="tag-goes", rule=one.rule, tag=tag, about=one.about)
        for tag, of_tag in going
        for one in of_tag
        if one.code in ("old-enough", "beyond")
    ]
    return (*keeping, *reasons), tuple(tag for tag, _ in going)
