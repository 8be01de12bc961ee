"""Whether a rule speaks of an object, and if not, why not: a table of conditions, one per field of Match.

Three of them speak of single tags of an image, so that of an image with tags in two repositories a rule can speak of
one; all others speak of an object as a whole.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from dockersweep.model.inventory import Container, Image, Inventory, Object
from dockersweep.model.naming import name_of
from dockersweep.model.policy import Match, Rule
from dockersweep.policy.image_names import compile_names, tag_of, whole_repository_of
from dockersweep.policy.patterns import Test, compile_pairs, compile_patterns
from dockersweep.policy.restarts import restart_words, restarts_by_itself
from dockersweep.policy.services import ServiceHolds
from dockersweep.policy.sizes import Sizes
from dockersweep.units import format_size

MANY = 10_000
"""For how many drivers, types, projects and repositories answers are remembered: many objects share theirs."""
OF_TAGS = ("name", "repository", "tag")

SizeOf = Callable[[Object], int | None]
ServicesOf = Callable[[Object], tuple[str, ...] | None]


class Facts(NamedTuple):
    """What conditions ask of an inventory that no object tells by itself."""

    size_of: SizeOf
    services_of: ServicesOf
    """Returns the services that name an object, None where it may be one that cannot be seen."""


def facts_of(inventory: Inventory) -> Facts:
    """Return what conditions ask of an inventory."""
    return Facts(Sizes(inventory).of, ServiceHolds(inventory).names)


ObjectTest = Callable[[Any], object]
"""What it is given is of a kind that the rule's kinds have; a field that it has not has no match."""


def _patterns(get: Callable[[Any], str | None], wanted: Sequence[str]) -> ObjectTest:
    test = lru_cache(MANY)(compile_patterns(wanted))

    def matches(seen: Any) -> object:
        text = get(seen)
        return text is not None and test(text)

    return matches


def _digest(wanted: Sequence[str], facts: Facts) -> ObjectTest:
    test = compile_names(wanted)
    return lambda seen: any(test(one) or test(one.partition("@")[2]) for one in seen.digests)


def _labels(wanted: Sequence[str], facts: Facts) -> ObjectTest:
    test = compile_pairs(wanted)
    return lambda seen: test(seen.labels)


def _options(wanted: Sequence[str], facts: Facts) -> ObjectTest:
    test = compile_pairs(wanted)
    return lambda seen: test(seen.options)


def _service(wanted: Sequence[str], facts: Facts) -> ObjectTest:
    test = compile_patterns(wanted)
    return lambda seen: any(test(name) for name in facts.services_of(seen) or ())


def _over(wanted: int, facts: Facts) -> ObjectTest:
    return lambda seen: (facts.size_of(seen) or 0) > wanted


def _under(wanted: int, facts: Facts) -> ObjectTest:
    def matches(seen: Any) -> bool:
        size = facts.size_of(seen)
        return size is not None and size < wanted

    return matches


def _restarts(wanted: bool, facts: Facts) -> ObjectTest:
    return lambda seen: restarts_by_itself(seen) is wanted


# In the order in which they are told: what is not said of a volume with mount options is that it has a name.
CONDITIONS: dict[str, Callable[[Any, Facts], ObjectTest]] = {
    "state": lambda wanted, facts: lambda seen: seen.state in wanted,
    "exit_code": lambda wanted, facts: lambda seen: seen.exit_code in wanted,
    "restarts_by_itself": _restarts,
    "tagged": lambda wanted, facts: lambda seen: bool(seen.tags) == wanted,
    "recoverable": lambda wanted, facts: lambda seen: seen.in_registry is not None and seen.in_registry == wanted,
    "digest": _digest,
    "driver": lambda wanted, facts: _patterns(lambda seen: seen.driver, wanted),
    "has_options": lambda wanted, facts: lambda seen: bool(seen.options) == wanted,
    "options": _options,
    "anonymous": lambda wanted, facts: lambda seen: seen.anonymous == wanted,
    "type": lambda wanted, facts: _patterns(lambda seen: seen.type, wanted),
    "labels": _labels,
    "project": lambda wanted, facts: _patterns(lambda seen: seen.project, wanted),
    "service": _service,
    "size_over_bytes": _over,
    "size_under_bytes": _under,
}
assert {*CONDITIONS, *OF_TAGS} == set(Match.__struct_fields__), "every field of Match needs its condition"


class RuleTest:
    """One rule, made ready to be asked of many objects of its kinds."""

    def __init__(self, rule: Rule, facts: Facts) -> None:
        self.rule = rule
        self._facts = facts
        self._wanted = [(field, _or_in_doubt(field, test, facts)) for field, test in _object_tests(rule.match, facts)]
        self._excluded = _object_tests(rule.excludes, facts)
        self._doubts = [(field, _UNKNOWN[field]) for field, _ in self._excluded if field in _UNKNOWN]
        self._must = [test for _, test in self._wanted]
        self._must_not = [test for _, test in self._excluded]
        self._wanted_tag = _tag_tests(rule.match)
        self._excluded_tag = _tag_tests(rule.excludes)
        self.asks_of_tags = bool(self._wanted_tag or self._excluded_tag)

    def speaks_of(self, seen: Object) -> bool:
        """Whether it speaks of an object, of an image whether of any of its tags."""
        for test in self._must:
            if not test(seen):
                return False
        for test in self._must_not:
            if test(seen):
                return False
        return not self.asks_of_tags or self._speaks_of_names(seen)

    def _speaks_of_names(self, seen: Object) -> bool:
        if type(seen) is not Image:
            return self.speaks_of_name(name_of(seen))
        if seen.tags:
            return any(self.speaks_of_name(tag) for tag in seen.tags)
        # One without a tag is not taken apart by its digests: any of them that is excluded excludes it.
        names = seen.digests
        if any(test(name) for _, test in self._excluded_tag for name in names):
            return False
        return not self._wanted_tag or any(all(test(name) for _, test in self._wanted_tag) for name in names)

    def units(self, seen: Object) -> tuple[str | None, ...]:
        """Return what it speaks of in an object that it speaks of: of an image those tags, of all others None."""
        if type(seen) is not Image or not seen.tags:
            return (None,)
        return tuple(tag for tag in seen.tags if self.speaks_of_name(tag)) if self.asks_of_tags else seen.tags

    def speaks_of_name(self, name: str) -> bool:
        """Whether the conditions for names and tags allow this one."""
        for _, test in self._wanted_tag:
            if not test(name):
                return False
        return not self._excluded_tag or not any(test(name) for _, test in self._excluded_tag)

    def doubt(self, seen: Object) -> str | None:
        """Return why it is not known whether it means an object that it speaks of; None where that is known.

        In doubt the rule may keep such an object, and does not remove it.
        """
        if self.rule.match.recoverable is not None and type(seen) is Image and seen.in_registry is None:
            return "nothing tells whether it can be pulled again"
        if self.rule.match.service is not None and self._facts.services_of(seen) is None:
            return "the services of the swarm cannot be seen"
        for field, is_unknown in self._doubts:
            if is_unknown(seen, self._facts):
                return f"it is not known whether not.{_key(field)} excludes it"
        return None

    def why_not(self, seen: Object) -> str:
        """Return why it does not speak of an object, for a person."""
        for field, test in self._wanted:
            if not test(seen):
                return self._telling(field, seen)
        for field, test in self._excluded:
            if test(seen):
                return f"excluded by not.{_key(field)}"
        names = names_of(seen)
        for field, test in self._wanted_tag:
            if not any(test(name) for name in names):
                return f"its {field} does not match {_either(getattr(self.rule.match, field))}"
        for field, test in self._excluded_tag:
            if any(test(name) for name in names):
                return f"excluded by not.{field}"
        return "no single tag matches all that is asked"

    def _telling(self, field: str, seen: Object) -> str:
        text = _mismatch(field, getattr(self.rule.match, field), seen)
        if self.rule.flag_for_others and field in ("tagged", "anonymous"):
            return f"{text} (only {self.rule.flag_for_others} removes such)"
        return text


_UNKNOWN: dict[str, Callable[[Any, Facts], bool]] = {
    "restarts_by_itself": lambda seen, facts: restarts_by_itself(seen) is None,
    "exit_code": lambda seen, facts: seen.exit_code is None and seen.state in ("exited", "dead"),
    "recoverable": lambda seen, facts: seen.in_registry is None,
    "service": lambda seen, facts: facts.services_of(seen) is None,
    "size_over_bytes": lambda seen, facts: facts.size_of(seen) is None,
    "size_under_bytes": lambda seen, facts: facts.size_of(seen) is None,
}
"""Where it is not known whether a condition holds."""


def names_of(seen: Object) -> Sequence[str]:
    """Return the names that patterns speak of: an image's tags, of one without a tag its digests or nothing."""
    if type(seen) is Image:
        return seen.tags or seen.digests
    return (name_of(seen),)


def _object_tests(match: Match, facts: Facts) -> list[tuple[str, ObjectTest]]:
    fields = [(field, getattr(match, field)) for field in CONDITIONS]
    return [(field, CONDITIONS[field](wanted, facts)) for field, wanted in fields if wanted is not None]


def _or_in_doubt(field: str, test: ObjectTest, facts: Facts) -> ObjectTest:
    """What may be lost for ever is not to be lost because a rule that keeps is silent on it; see RuleTest.doubt."""
    if field not in ("recoverable", "service"):
        return test
    is_unknown = _UNKNOWN[field]
    return lambda seen: is_unknown(seen, facts) or test(seen)


def _tag_tests(match: Match) -> list[tuple[str, Test]]:
    tests: list[tuple[str, Test]] = []
    if match.name is not None:
        tests.append(("name", compile_names(match.name)))
    if match.repository is not None:
        of_repository = lru_cache(MANY)(compile_names(match.repository))
        tests.append(("repository", lambda name: of_repository(whole_repository_of(name))))
    if match.tag is not None:
        of_tag = compile_patterns(match.tag)
        tests.append(("tag", lambda name: bool(tag := tag_of(name)) and of_tag(tag)))
    return tests


def _key(field: str) -> str:
    return field.removesuffix("_bytes")


def _either(patterns: Sequence[object]) -> str:
    return " or ".join(str(pattern) for pattern in patterns)


_Phrase = Callable[[Any, Any], str]
_PHRASES: dict[str, _Phrase] = {
    "state": lambda seen, wanted: f"it is {seen.state}",
    "exit_code": lambda seen, wanted: f"its exit code is {'unknown' if seen.exit_code is None else seen.exit_code}",
    "restarts_by_itself": lambda seen, wanted: _restarting(seen, wanted),
    "tagged": lambda seen, wanted: "without a tag" if wanted else "tagged",
    "anonymous": lambda seen, wanted: "named" if wanted else "anonymous",
    "recoverable": lambda seen, wanted: f"it can{'not' if wanted else ''} be pulled again",
    "has_options": lambda seen, wanted: (
        "without mount options" if wanted else "with mount options: its data is somewhere else"
    ),
    "driver": lambda seen, wanted: f"of the driver {seen.driver or 'unknown'}, which others may use",
    "labels": lambda seen, wanted: f"it has no label {_either(wanted)}",
    "options": lambda seen, wanted: f"it has no mount option {_either(wanted)}",
    "project": lambda seen, wanted: (
        "it belongs to no compose project" if seen.project is None else f"it belongs to the project {seen.project}"
    ),
    "service": lambda seen, wanted: f"no service {_either(wanted)} uses it",
    "size_over_bytes": lambda seen, wanted: f"its size is not over {format_size(wanted)}, or not known",
    "size_under_bytes": lambda seen, wanted: f"its size is not under {format_size(wanted)}, or not known",
}
"""Why a condition does not hold, for a person, of the object and what is wanted."""


def _mismatch(field: str, wanted: Any, seen: Object) -> str:
    phrase = _PHRASES.get(field)
    return f"its {field} does not match {_either(wanted)}" if phrase is None else phrase(seen, wanted)


def _restarting(seen: Container, wanted: bool) -> str:
    return "does not restart by itself" if restarts_by_itself(seen) is False else restart_words(seen)
