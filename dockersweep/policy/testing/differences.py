"""The differences between a plan and what a case expects, as sentences."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import groupby
from typing import NamedTuple

from dockersweep.errors import PolicyError, UsageError
from dockersweep.model.inventory import KINDS, Inventory, ObjectRef
from dockersweep.model.lookup import find_objects
from dockersweep.model.naming import ref_of
from dockersweep.model.plan import Decision, Plan, Removal, TargetVerdict
from dockersweep.model.policycase import CaseFile, PlanCase, ReasonTable, Texts, Why
from dockersweep.model.reason import Excluded, NotMatched, Reason
from dockersweep.model.recovery import How, Recovery
from dockersweep.policy.language.problems import quoted
from dockersweep.policy.testing.objects import UNKNOWN, CaseObjects, case_name, texts
from dockersweep.policy.testing.reasons import missing_reasons, whys
from dockersweep.units import format_size, parse_size
from dockersweep.words.lists import either
from dockersweep.words.reasons import joined_by_rule, reason_text

UNTAG = "untag "


class _Expected(NamedTuple):
    """What a case expects of one object."""

    named: str
    ref: ObjectRef
    verdict: str
    untag: tuple[str, ...]
    why: tuple[str | ReasonTable, ...]
    recovery: How | None


def differences(case: CaseFile, inventory: Inventory, plan: Plan) -> tuple[str, ...]:
    """Return a line for every difference from what the case expects.

    Raises PolicyError for an impossible expectation: of an object that is not there, or with an unknown verdict.
    """
    names = _Names(case, inventory)
    expected = list(_expected(case, names, inventory))
    decisions = {decision.ref: decision for decision in plan.decisions}
    ways_back = {removal.ref: removal.recovery for removal in plan.removals}
    lines = [line for expectation in expected for line in _of_object(expectation, decisions[expectation.ref])]
    lines += [line for expectation in expected for line in _of_recovery(expectation, ways_back.get(expectation.ref))]
    wanted = case.plan or PlanCase()
    lines += _of_limits(texts(wanted.limits), plan.limits.exceeded)
    lines += _of_plan(wanted, plan, names)
    if wanted.others is not None:
        matched = {expectation.ref for expectation in expected}
        others = [decision for ref, decision in decisions.items() if ref not in matched]
        lines += [
            f"{decision.kind} {decision.name}: expected {wanted.others} as of all others, {_actual_verdict(decision)}"
            for decision in others
            if decision.verdict != wanted.others or decision.untag
        ]
    return tuple(lines)


def _expected(case: CaseFile, names: "_Names", inventory: Inventory) -> Iterator[_Expected]:
    tags = {image.id: image.tags for image in inventory.images}
    for table, item in CaseObjects(case).pairs():
        ref = ref_of(item)
        named = f"{ref.kind} {case_name(table)}"
        yield _expectation(named, ref, table.expect, table.why, tags.get(ref.id, ()), table.recovery)
    for own in case.expect:
        ref = names.find(own.object)
        yield _expectation(own.object, ref, own.verdict, own.why, tags.get(ref.id, ()), own.recovery)


def _expectation(
    named: str, ref: ObjectRef, verdict: Texts | None, why: Why | None, tags: tuple[str, ...], recovery: How | None
) -> _Expected:
    words = texts(verdict)
    if words in (("keep",), ("remove",)):
        return _Expected(named, ref, words[0], (), whys(why), recovery)
    untag = tuple(word.removeprefix(UNTAG).strip() for word in words if word.startswith(UNTAG))
    if not words or len(untag) != len(words):
        near = get_close_matches(" ".join(words), ("keep", "remove"), n=1)
        hint = f'did you mean "{near[0]}"?' if near else 'write "keep", "remove", or of an image "untag TAG"'
        raise PolicyError(f"{named}: there is no verdict {' and '.join(map(quoted, words)) or 'that is empty'}; {hint}")
    for tag in untag:
        if tag not in tags:
            raise PolicyError(f"{named}: it has no tag {tag} to lose; it has {', '.join(tags) or 'none'}")
    return _Expected(named, ref, "keep", untag, whys(why), recovery)


def _of_object(expected: _Expected, decision: Decision) -> Iterator[str]:
    if expected.verdict != decision.verdict or set(expected.untag) != set(decision.untag):
        wanted = " and ".join(f"{UNTAG}{tag}" for tag in expected.untag) or expected.verdict
        yield f"{expected.named}: expected {wanted}, {_actual_verdict(decision)}"
        return
    for line in missing_reasons(expected.why, decision.reasons):
        yield line if line.startswith(" ") else f"{expected.named}: {line}"


def _of_recovery(expected: _Expected, actual: Recovery | None) -> Iterator[str]:
    if expected.recovery is not None and (actual is None or actual.how != expected.recovery):
        is_so = "nothing of it is removed" if actual is None else f"it is {actual.how}: {actual.text}"
        yield f"{expected.named}: expected the recovery {expected.recovery}, {is_so}"


def _actual_verdict(decision: Decision) -> str:
    """Return the decision on an object as words, with the reasons."""
    if decision.verdict == "remove":
        verdict = "is removed"
    elif decision.untag:
        verdict = f"is kept and loses {' and '.join(decision.untag)}"
    else:
        verdict = "is kept"
    return f"{verdict}: {'; '.join(_reasons(decision.reasons))}"


def _reasons(reasons: Iterable[Reason]) -> Iterator[str]:
    """Yield reasons with their rules, and which rules do not match."""
    for is_silent, alike in groupby(reasons, key=lambda reason: isinstance(reason.about, NotMatched | Excluded)):
        if is_silent:
            yield from (f'rule "{reason.rule}" does not match: {reason_text(reason)}' for reason in alike)
        else:
            yield joined_by_rule(alike)


def _of_limits(wanted: tuple[str, ...], exceeded: tuple[str, ...]) -> Iterator[str]:
    """A case without limits expects that none is exceeded: otherwise nothing would be removed."""
    if exceeded and not wanted:
        yield f"expected no limit to be exceeded, but: {'; '.join(exceeded)}"
    yield from _missing("what is told of limits", wanted, exceeded)


def _of_plan(wanted: PlanCase, plan: Plan, names: "_Names") -> Iterator[str]:
    removed = [removal for removal in plan.removals if removal.action == "remove"]
    if wanted.removes is not None and wanted.removes != len(removed):
        yield f"expected {wanted.removes} removals, there are {len(removed)}: {_listed(removed)}"
    if wanted.order is not None:
        order = [names.find(name) for name in wanted.order]
        if order != [removal.ref for removal in removed]:
            yield f"expected the order {', '.join(wanted.order) or 'of nothing'}, it is: {_listed(removed)}"
    if wanted.gives_back is not None:
        low, high = _interval(wanted.gives_back)
        if (low, high) != (plan.reclaim.low_bytes, plan.reclaim.high_bytes):
            actual = _size_words(plan.reclaim.low_bytes, plan.reclaim.high_bytes)
            why = f" ({plan.reclaim.reason})" if plan.reclaim.reason else ""
            yield f"expected {_size_words(low, high)} to be freed, it is {actual}{why}"
    archived = 0 if plan.archive is None else plan.archive.objects
    if wanted.archived is not None and wanted.archived != archived:
        yield f"expected {wanted.archived} objects to be archived, there are {archived}"
    if wanted.target is not None or wanted.target_says is not None:
        yield from _of_target(wanted, plan.target)
    yield from _missing(
        "the warnings", texts(wanted.warnings), [f"{warning.about}: {warning.text}" for warning in plan.warnings]
    )


def _of_target(wanted: PlanCase, target: TargetVerdict | None) -> Iterator[str]:
    if target is None:
        yield "expected something of the space target, but the policy has none"
        return
    if target.begins is False:
        actual = "not begun"
    else:
        actual = {True: "reached", False: "not reached", None: UNKNOWN}[target.reached]
    if wanted.target is not None and wanted.target != actual:
        yield f"expected the space target to be {wanted.target}, it is {actual}: {target.text}"
    yield from _missing("what is told of the space target", texts(wanted.target_says), [target.text])


def _missing(place: str, wanted: Iterable[str], lines: Iterable[str]) -> Iterator[str]:
    lines = tuple(lines)
    for text in wanted:
        if not any(text in line for line in lines):
            yield f'expected "{text}" in {place}: {"; ".join(lines) or "nothing is told"}'


def _listed(removed: Iterable[Removal]) -> str:
    return ", ".join(f"{removal.kind} {removal.name}" for removal in removed) or "nothing"


def _interval(written: Texts) -> tuple[int, int | None]:
    sizes = texts(written)
    if len(sizes) not in (1, 2) or sizes[0] == UNKNOWN:
        raise PolicyError('plan.gives_back must be a size like "300MB", or the least and the most in a list')
    try:
        low = parse_size(sizes[0])
        return low, None if sizes[-1] == UNKNOWN else parse_size(sizes[-1])
    except UsageError as error:
        raise PolicyError(f"plan.gives_back: {error}") from None


def _size_words(low: int, high: int | None) -> str:
    return format_size(low) if low == high else f"{format_size(low)} to {format_size(high)}"


class _Names:
    """Finds the objects that a case names: as "image app:3", or like the argument of `explain`."""

    def __init__(self, case: CaseFile, inventory: Inventory) -> None:
        self._inventory = inventory
        self._own = {
            f"{ref_of(item).kind}:{case_name(table)}": ref_of(item) for table, item in CaseObjects(case).pairs()
        }

    def find(self, named: str) -> ObjectRef:
        """Return the object; raises PolicyError where there is none or there are several."""
        kind, _, name = named.partition(" ")
        text = f"{kind}:{name.strip()}" if kind in KINDS else named
        if text in self._own:
            return self._own[text]
        meant = find_objects(self._inventory, text)
        if len(meant.matches) == 1:
            return meant.matches[0]
        could_be = either(meant.texts) if meant.texts else ""
        if meant.matches:
            raise PolicyError(f'"{named}" can be {could_be}: write which is meant')
        raise PolicyError(f'there is no "{named}" in the inventory{f"; did you mean {could_be}?" if could_be else ""}')
