"""Whether a rule speaks of an object, and if not, why not: a table of conditions, one per field of Match."""

from collections.abc import Callable
from typing import Any

from dockersweep.model.inventory import Container, Image, Object, Volume
from dockersweep.model.policy import Match, Rule

ALWAYS_RESTARTED = frozenset({"always", "unless-stopped"})


def _states(seen: Object, wanted: tuple[str, ...]) -> str | None:
    if isinstance(seen, Container) and seen.state not in wanted:
        return f"it is {seen.state}"
    return None


def _restarts_by_itself(seen: Object, wanted: bool) -> str | None:
    if not isinstance(seen, Container):
        return None
    if seen.restart_policy is None:
        return "of unknown restart policy"
    if (seen.restart_policy in ALWAYS_RESTARTED) != wanted:
        return f"restarts by itself ({seen.restart_policy})" if not wanted else "does not restart by itself"
    return None


def _tagged(seen: Object, wanted: bool) -> str | None:
    if not isinstance(seen, Image) or bool(seen.tags) == wanted:
        return None
    return "without a tag" if wanted else "tagged (only --all-images removes such)"


def _anonymous(seen: Object, wanted: bool) -> str | None:
    if not isinstance(seen, Volume) or seen.anonymous == wanted:
        return None
    return "named (only --named-volumes removes such)" if wanted else "anonymous"


def _drivers(seen: Object, wanted: tuple[str, ...]) -> str | None:
    if isinstance(seen, Volume) and seen.driver not in wanted:
        return f"of the driver {seen.driver or 'unknown'}, which others may use"
    return None


def _has_options(seen: Object, wanted: bool) -> str | None:
    if not isinstance(seen, Volume) or bool(seen.options) == wanted:
        return None
    return "without mount options" if wanted else "with mount options: its data is somewhere else"


CONDITIONS: dict[str, Callable[[Object, Any], str | None]] = {
    "states": _states,
    "restarts_by_itself": _restarts_by_itself,
    "tagged": _tagged,
    "anonymous": _anonymous,
    "drivers": _drivers,
    "has_options": _has_options,
}
assert set(CONDITIONS) == set(Match.__struct_fields__), "every field of Match needs its condition"


def mismatch(rule: Rule, seen: Object) -> str | None:
    """Return why the rule does not speak of an object of its kind; None where it does."""
    for field, condition in CONDITIONS.items():
        wanted = getattr(rule.match, field)
        if wanted is not None:
            why = condition(seen, wanted)
            if why is not None:
                return why
    return None
