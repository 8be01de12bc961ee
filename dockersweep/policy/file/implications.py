"""Whether one condition of a policy speaks of all that another speaks of, as far as that is certain from their texts.

A glob is known to cover a name and itself, not a narrower glob: what is not certain is not said.
"""

from collections.abc import Sequence

from dockersweep.model.inventory import STOPPED_STATES
from dockersweep.model.policy import Match, Remove, Rule
from dockersweep.policy.file.rule_checks import is_anything
from dockersweep.policy.image_names import without_registry
from dockersweep.policy.patterns import compile_pairs, compile_patterns, is_regular_expression
from dockersweep.units import DAY, Age

PATTERNS = ("name", "repository", "tag", "digest", "project", "service", "driver", "type")
PAIRS = ("labels", "options")
SWITCHES = ("anonymous", "has_options", "tagged", "recoverable", "restarts_by_itself")


def covers_rule(wide: Rule, narrow: Rule) -> bool:
    """Whether all that one rule speaks of and that can be removed, another speaks of too."""
    if not set(narrow.kinds) <= set(wide.kinds):
        return False
    wanted = all(
        _is_asked_for(wide.match, narrow, field) for field in Match.__struct_fields__ if _is_set(wide.match, field)
    )
    return wanted and all(
        _is_excluded(wide.excludes, narrow, field) for field in Match.__struct_fields__ if _is_set(wide.excludes, field)
    )


def _is_set(match: Match, field: str) -> bool:
    return getattr(match, field) is not None


def _is_asked_for(wide: Match, narrow: Rule, field: str) -> bool:
    """Whether what a rule speaks of has what one field asks for."""
    asked = getattr(wide, field)
    if field == "state" and set(asked) >= set(STOPPED_STATES):
        # Containers in other states are never removed.
        return True
    if field == "name" and "image" not in narrow.kinds and any(is_anything(one) for one in asked):
        return True
    # Of a container whose restart policy is unknown neither holds.
    if field in SWITCHES and field != "restarts_by_itself" and getattr(narrow.excludes, field) == (not asked):
        return True
    return _is_set(narrow.match, field) and covers(field, asked, getattr(narrow.match, field))


def _is_excluded(excludes: Match, narrow: Rule, field: str) -> bool:
    """Whether a rule speaks of nothing that one excluded field has."""
    excluded = getattr(excludes, field)
    if field in SWITCHES and getattr(narrow.match, field) == (not excluded):
        return True
    return _is_set(narrow.excludes, field) and covers(field, getattr(narrow.excludes, field), excluded)


def covers(field: str, wide: object, narrow: object) -> bool:
    """Whether every object that has the narrow value of a field of Match has the wide one too."""
    if isinstance(wide, tuple) and isinstance(narrow, tuple):
        if field in PATTERNS:
            return patterns_cover(wide, narrow)
        return pairs_cover(wide, narrow) if field in PAIRS else set(narrow) <= set(wide)
    if isinstance(wide, int) and isinstance(narrow, int) and field == "size_over_bytes":
        return narrow >= wide
    if isinstance(wide, int) and isinstance(narrow, int) and field == "size_under_bytes":
        return narrow <= wide
    return wide == narrow


def patterns_cover(wide: Sequence[str], narrow: Sequence[str]) -> bool:
    """Whether each text that the narrow patterns match the wide ones match too."""
    known = [without_registry(one) for one in wide]
    others = [one for one in map(without_registry, narrow) if one not in known]
    if not others or any(map(is_anything, known)):
        return True
    # To compile patterns takes long, and few rules get here.
    return all(map(_is_literal, others)) and all(map(compile_patterns(known), others))


def pairs_cover(wide: Sequence[str], narrow: Sequence[str]) -> bool:
    """Whether whatever has a label (or an option) of the narrow pairs has one of the wide ones too."""
    of_keys = compile_pairs([one for one in wide if "=" not in one])
    of_pairs = compile_pairs(wide)
    for one in narrow:
        key, separator, value = one.partition("=")
        if one in wide or (_is_literal(key) and of_keys({key: ""})):
            continue
        if not (separator and _is_literal(key) and _is_literal(value) and of_pairs({key: value})):
            return False
    return True


def _is_literal(pattern: str) -> bool:
    return not is_regular_expression(pattern) and not any(sign in pattern for sign in "*?[")


def is_asked_sooner(early: Remove, late: Remove) -> bool:
    """Whether whatever is old enough for one is old enough for the other."""
    for field in ("older_than", "unused_for", "stopped_for", "built_over", "marked_for"):
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


def is_longer(one: Age, other: Age) -> bool:
    """Whether an age is the longer one, however many days its months have."""
    months, seconds = one.months - other.months, one.seconds - other.seconds
    # A month has 28 to 31 days, a year 365 or 366.
    years, rest = divmod(abs(months), 12)
    if months >= 0:
        return seconds + (years * 365 + rest * 28) * DAY > 0
    return seconds > (years * 366 + rest * 31) * DAY


def _is_same(one: Age, other: Age) -> bool:
    return (one.months, one.seconds) == (other.months, other.seconds)
