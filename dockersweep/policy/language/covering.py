"""Whether one rule matches everything that another matches, as far as that is certain from their texts.

A glob is known to cover a name and itself, not a narrower glob: where it is not certain, the answer is no.
"""

from collections.abc import Sequence
from typing import Any

from dockersweep.model.image_references import without_registry
from dockersweep.model.inventory import STOPPED_STATES
from dockersweep.model.policy import Match, Remove, Rule
from dockersweep.policy.language.conditions import CONDITIONS, Condition
from dockersweep.policy.language.rule_checks import is_anything
from dockersweep.policy.names.patterns import compile_pairs, compile_patterns, is_regular_expression
from dockersweep.units import DAY, Age


def covers_rule(wide: Rule, narrow: Rule) -> bool:
    """Whether one rule matches every removable object that another matches."""
    if not set(narrow.kinds) <= set(wide.kinds):
        return False
    wanted = all(_is_asked_for(wide.match, narrow, row) for row in CONDITIONS if _is_set(wide.match, row))
    return wanted and all(_is_excluded(wide.excludes, narrow, row) for row in CONDITIONS if _is_set(wide.excludes, row))


def _is_set(match: Match, row: Condition) -> bool:
    return getattr(match, row.field) is not None


def _is_asked_for(wide: Match, narrow: Rule, row: Condition) -> bool:
    """Whether everything that a rule matches meets one condition."""
    asked = getattr(wide, row.field)
    if row.field == "state" and set(asked) >= set(STOPPED_STATES):
        # Containers in other states are never removed.
        return True
    if row.field == "name" and "image" not in narrow.kinds and any(map(is_anything, asked)):
        return True
    # A container with an unknown restart policy matches neither value.
    if row.values == "switch" and row.field != "restarts_by_itself" and _is_opposite(narrow.excludes, row, asked):
        return True
    return _is_set(narrow.match, row) and covers(row, asked, getattr(narrow.match, row.field))


def _is_excluded(excludes: Match, narrow: Rule, row: Condition) -> bool:
    """Whether a rule matches nothing that a condition under `not` excludes."""
    excluded = getattr(excludes, row.field)
    if row.values == "switch" and _is_opposite(narrow.match, row, excluded):
        return True
    return _is_set(narrow.excludes, row) and covers(row, getattr(narrow.excludes, row.field), excluded)


def _is_opposite(match: Match, row: Condition, wanted: bool) -> bool:
    return bool(getattr(match, row.field) == (not wanted))


def covers(row: Condition, wide: Any, narrow: Any) -> bool:
    """Whether every object that has the narrow value of a condition has the wide one too."""
    match row.values:
        case "patterns":
            return patterns_cover(wide, narrow)
        case "pairs":
            return pairs_cover(wide, narrow)
        case "choices":
            return set(narrow) <= set(wide)
        case "size over":
            return bool(narrow >= wide)
        case "size under":
            return bool(narrow <= wide)
        case "switch":
            return bool(wide == narrow)


def patterns_cover(wide: Sequence[str], narrow: Sequence[str]) -> bool:
    """Whether the wide patterns match every text that the narrow ones match."""
    known = [without_registry(pattern) for pattern in wide]
    others = [pattern for pattern in map(without_registry, narrow) if pattern not in known]
    if not others or any(map(is_anything, known)):
        return True
    # Compiling patterns is slow, and few rules get here.
    return all(map(_is_literal, others)) and all(map(compile_patterns(known), others))


def pairs_cover(wide: Sequence[str], narrow: Sequence[str]) -> bool:
    """Whether every object with a label (or option) of the narrow pairs has one of the wide pairs too."""
    of_keys = compile_pairs([pair for pair in wide if "=" not in pair])
    of_pairs = compile_pairs(wide)
    for pair in narrow:
        key, separator, value = pair.partition("=")
        if pair in wide or (_is_literal(key) and of_keys({key: ""})):
            continue
        if not (separator and _is_literal(key) and _is_literal(value) and of_pairs({key: value})):
            return False
    return True


def _is_literal(pattern: str) -> bool:
    return not is_regular_expression(pattern) and not any(sign in pattern for sign in "*?[")


def is_asked_sooner(early: Remove, late: Remove) -> bool:
    """Whether every object that is old enough for `late` is old enough for `early`."""
    if early.after_container and not late.after_container:
        return False
    for field in ("older_than", "unused_for", "stopped_for", "built_over", "created_over", "marked_for"):
        asked: Age | None = getattr(early, field)
        given: Age | None = getattr(late, field)
        if asked is None or asked.is_zero:
            continue
        if given is None or (given != asked and not is_longer(given, asked) and not _is_same(given, asked)):
            return False
    for field in ("before", "built_before"):
        before, given_date = getattr(early, field), getattr(late, field)
        if before is not None and (given_date is None or given_date > before):
            return False
    return True


def is_longer(age: Age, other: Age) -> bool:
    """Whether an age is certainly longer than the other, however many days their months have."""
    months, seconds = age.months - other.months, age.seconds - other.seconds
    # A month has 28 to 31 days, a year 365 or 366.
    years, rest = divmod(abs(months), 12)
    if months >= 0:
        return seconds + (years * 365 + rest * 28) * DAY > 0
    return seconds > (years * 366 + rest * 31) * DAY


def _is_same(age: Age, other: Age) -> bool:
    return (age.months, age.seconds) == (other.months, other.seconds)
