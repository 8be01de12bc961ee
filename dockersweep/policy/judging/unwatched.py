"""What rules with `unused_for` keep only because uses have not been watched for long enough."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from dockersweep.model.age_reasons import Unwatched
from dockersweep.model.inventory import Kind, ObjectRef
from dockersweep.model.naming import objects_of, ref_of
from dockersweep.model.plan import Decision
from dockersweep.model.policy import Policy, Rule
from dockersweep.policy.judging.survey import Survey

_WATCHED: tuple[Kind, ...] = ("image", "volume", "network")


class UnwatchedObject(Struct, frozen=True):
    """One object kept for that, and the first rule that does."""

    decision: Decision
    rule: str
    about: Unwatched


def unwatched_objects(
    survey: Survey, policy: Policy, decision_of: Callable[[ObjectRef], Decision]
) -> Iterator[UnwatchedObject]:
    """Yield these objects, kind by kind."""
    for kind in _WATCHED:
        if any(_is_unwatched(rule, kind, survey) for rule in policy.rules):
            for ref in map(ref_of, objects_of(survey.inventory, kind)):
                if ref in survey.unused:
                    yield from _of(decision_of(ref))


def _is_unwatched(rule: Rule, kind: Kind, survey: Survey) -> bool:
    """Whether a rule asks for more time than was watched. If none does, no object has to be judged."""
    if kind not in rule.kinds or rule.remove is None or rule.remove.unused_for is None:
        return False
    watched = survey.watch.of_images if kind == "image" else survey.watch.of_held
    return not watched.is_enough(rule.remove.unused_for.before(survey.now), survey.now)


def _of(decision: Decision) -> Iterator[UnwatchedObject]:
    if decision.verdict == "remove" or any(reason.rule == "protection" for reason in decision.reasons):
        return
    for reason in decision.reasons:
        if isinstance(reason.about, Unwatched):
            yield UnwatchedObject(decision, reason.rule, reason.about)
            return
