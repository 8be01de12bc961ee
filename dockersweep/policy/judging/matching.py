"""Whether a rule matches an object, and if not, why not: the conditions of `language.conditions`, compiled.

Three conditions test each tag of an image by itself, so a rule can match only one of two tags; all others test the
object as a whole.
"""

from collections.abc import Sequence
from typing import Any

from dockersweep.model.inventory import Image, Object
from dockersweep.model.naming import name_of
from dockersweep.model.policy import Match, Rule
from dockersweep.model.reason import About, Doubt, Excluded, Fact, NotMatched, Reason, Restart
from dockersweep.policy.language.conditions import CONDITIONS, Condition, ConditionFacts, ObjectTest

Units = tuple[str | None, ...]
"""What is judged one by one: tags of an image, or None for the whole object."""
WHOLE: Units = (None,)


class RuleTest:
    """The conditions of one rule, compiled to test many objects of its kinds."""

    def __init__(self, rule: Rule, facts: ConditionFacts) -> None:
        self.rule = rule
        wanted, excluded = _tests(rule.match, facts), _tests(rule.excludes, facts)
        unknown = [(row, test) for row, test in _unknown(rule.match, facts) if row.keeps_unknown]
        self._wanted = [(row, _or_unknown(row, test, unknown)) for row, test in wanted if not row.is_of_names]
        self._excluded = [(row, test) for row, test in excluded if not row.is_of_names]
        self._wanted_unknown = unknown
        self._excluded_unknown = _unknown(rule.excludes, facts)
        self.may_doubt = bool(self._wanted_unknown or self._excluded_unknown)
        self._holds = _all_of([test for _, test in self._wanted], [test for _, test in self._excluded])
        self._wanted_names = [(row, test) for row, test in wanted if row.is_of_names]
        self._excluded_names = [(row, test) for row, test in excluded if row.is_of_names]
        self._name_must = [test for _, test in self._wanted_names]
        self._name_must_not = [test for _, test in self._excluded_names]
        self._allows = _all_of(self._name_must, self._name_must_not)
        """Whether a name or tag meets the conditions for names and tags."""
        self._excluded_by = {row.field: self._no_match(Excluded(condition=row.key)) for row, _ in excluded}
        self._no_single_tag = self._no_match(Fact(name="no-single-tag"))
        self.other_tags_only = self._no_match(Fact(name="other-tags-only"))
        """Why it does not match a tag of an image of which it matches another tag."""
        self._not_matched: dict[tuple[str, str | int | Restart | None], Reason] = {}
        """Each reason is made once: most objects have one of a few values."""
        self.asks_of_tags = bool(self._name_must or self._name_must_not)

    def matches(self, item: Object) -> bool:
        """Whether it matches an object; an image, where it matches any of its tags."""
        return bool(self.units(item))

    def units(self, item: Object) -> Units:
        """Return what it matches of an object: the tags of an image that has any, otherwise the whole object; empty
        where it does not match."""
        if not self._holds(item):
            return ()
        if type(item) is not Image:
            return WHOLE if not self.asks_of_tags or self._allows(name_of(item)) else ()
        if item.tags:
            return tuple(filter(self._allows, item.tags)) if self.asks_of_tags else item.tags
        return WHOLE if not self.asks_of_tags or self._matches_digests(item) else ()

    def units_of_match(self, item: Object) -> Units:
        """Return the same of an object that is known to match."""
        if type(item) is not Image or not item.tags:
            return WHOLE
        return tuple(filter(self._allows, item.tags)) if self.asks_of_tags and len(item.tags) > 1 else item.tags

    def _matches_digests(self, item: Image) -> bool:
        # An image without tags is judged as a whole: one excluded digest excludes it.
        names = item.digests
        if any(test(name) for test in self._name_must_not for name in names):
            return False
        return not self._name_must or any(all(test(name) for test in self._name_must) for name in names)

    def doubt(self, item: Object) -> Doubt | None:
        """Return why it is not known whether it matches an object, where its tests say that it does; otherwise None.

        In doubt the rule may keep the object, and does not remove it.
        """
        for row, is_unknown in self._wanted_unknown:
            if is_unknown(item):
                return Doubt(condition=row.key)
        for row, is_unknown in self._excluded_unknown:
            if is_unknown(item):
                return Doubt(condition=row.key, excludes=True)
        return None

    def why_not(self, item: Object) -> Reason | None:
        """Return why it does not match an object; None where it matches, if only one tag of an image."""
        for row, test in self._wanted:
            if not test(item):
                return self._lacks(row, item)
        for row, test in self._excluded:
            if test(item):
                return self._excluded_by[row.field]
        return self._why_not_by_names(item, names_of(item)) if self.asks_of_tags else None

    def _why_not_by_names(self, item: Object, names: Sequence[str]) -> Reason | None:
        if len(names) == 1:
            # Most have one.
            return self._why_not_by_name(item, names[0])
        if names and self.units(item):
            return None
        for row, test in self._wanted_names:
            if not any(map(test, names)):
                return self._lacks(row, item)
        for row, test in self._excluded_names:
            if any(map(test, names)):
                return self._excluded_by[row.field]
        return self._no_single_tag if names else None

    def _why_not_by_name(self, item: Object, name: str) -> Reason | None:
        for row, test in self._wanted_names:
            if not test(name):
                return self._lacks(row, item)
        for row, test in self._excluded_names:
            if test(name):
                return self._excluded_by[row.field]
        return None

    def _lacks(self, row: Condition, item: Object) -> Reason:
        has = row.has(item) if row.has else None
        reason = self._not_matched.get((row.field, has))
        if reason is None:
            about = NotMatched(
                condition=row.key,
                wanted=getattr(self.rule.match, row.field),
                has=None if isinstance(has, Restart) else has,
                restart=has if isinstance(has, Restart) else None,
                flag=self.rule.flag_for_others if row.has_flag else None,
            )
            reason = self._not_matched[row.field, has] = self._no_match(about)
        return reason

    def _no_match(self, about: About) -> Reason:
        return Reason(code="no-rule", rule=self.rule.name, about=about)


def names_of(item: Object) -> Sequence[str]:
    """Return the names to match with patterns: the tags of an image, without tags its digests, or an object's name."""
    if type(item) is Image:
        return item.tags or item.digests
    return (name_of(item),)


def _tests(match: Match, facts: ConditionFacts) -> list[tuple[Condition, ObjectTest]]:
    wanted = [(row, getattr(match, row.field)) for row in CONDITIONS]
    return [(row, row.test(value, facts)) for row, value in wanted if value is not None]


def _all_of(must: Sequence[ObjectTest], must_not: Sequence[ObjectTest]) -> ObjectTest:
    """Return one test: all of `must` hold and none of `must_not`. It runs millions of times."""
    if not must_not and len(must) < 2:
        return must[0] if must else lambda subject: True
    excluded = must_not[0] if len(must_not) == 1 else lambda subject: any(test(subject) for test in must_not)

    def holds(subject: Any) -> bool:
        for test in must:
            if not test(subject):
                return False
        return not must_not or not excluded(subject)

    return holds


def _unknown(match: Match, facts: ConditionFacts) -> list[tuple[Condition, ObjectTest]]:
    wanted = [(row, getattr(match, row.field)) for row in CONDITIONS]
    return [(row, row.is_unknown(value, facts)) for row, value in wanted if value is not None and row.is_unknown]


def _or_unknown(row: Condition, test: ObjectTest, unknown: Sequence[tuple[Condition, ObjectTest]]) -> ObjectTest:
    """Return a test that also passes where the answer is unknown: a rule keeps in doubt; see RuleTest.doubt."""
    is_unknown = next((unknown_test for condition, unknown_test in unknown if condition is row), None)
    return test if is_unknown is None else lambda item: is_unknown(item) or test(item)
