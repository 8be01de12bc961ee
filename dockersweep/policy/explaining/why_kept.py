"""Why an object will never be removed if nothing changes: the reasons that no age can end, as one sentence."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from dockersweep.model.inventory import Kind, ObjectRef
from dockersweep.model.plan import Decision
from dockersweep.model.policy import Policy
from dockersweep.model.reason import Group, Kept, KeptVersion, KeptWithin, Reason, ReasonCode, State
from dockersweep.policy.judging.holders import Holder, Holders
from dockersweep.policy.judging.rulings import NOT_NAMED
from dockersweep.words.reasons import because_text, more_of_group_text, reason_text

MOST_TEXTS = 3


class Staying(Struct, frozen=True):
    """The decisions on an object and all its holders, today and when all ages are reached."""

    policy: Policy
    holds: Holders
    tags: Mapping[ObjectRef, tuple[str, ...]]
    """The tags of those that are images."""
    today: Mapping[ObjectRef, Decision]
    in_the_end: Mapping[ObjectRef, Decision]
    without_counts: Mapping[ObjectRef, Decision]
    """The same as `in_the_end`, if no rule had a `keep`."""


def stays_until(ref: ObjectRef, staying: Staying) -> str | None:
    """Return when an object will be removed that only counting rules keep: "3 more images of app come"; None where
    that never happens, or it would still be kept."""
    decision = staying.in_the_end[ref]
    is_kept_alone = all(reason.code in ("kept", "no-rule", "tag-goes") for reason in decision.reasons)
    if not is_kept_alone or _staying_holders(ref, staying) or staying.without_counts[ref].verdict == "keep":
        return None
    kept = _of_code("kept", decision)
    return _end(ref, kept, staying) if kept else None


def why_it_stays(ref: ObjectRef, staying: Staying) -> str:
    """Return why an object is kept even when all ages are reached: by which rule, and if it is held, why its last
    holder is kept."""
    decision = staying.in_the_end[ref]
    holders = _staying_holders(ref, staying)
    if not holders:
        return _reasons(ref, decision, staying)
    last, passed = holders[0].by, {ref}
    while last not in passed:
        passed.add(last)
        last = next((hold.by for hold in _staying_holders(last, staying)), last)
    more = f" (and {len(holders) - 1} more)" if len(holders) > 1 else ""
    held = f"held by {last.kind} {staying.in_the_end[last].name}{more}, which {_which_stays(last, staying)}"
    kept = " and ".join(_by_rules(_of_code("kept", decision)))
    return f"kept {kept}, and {held}" if kept else held


def _which_stays(last: ObjectRef, staying: Staying) -> str:
    """Return why a holder is kept, to follow "which": "is running", "stays because it is tagged"."""
    decision = staying.in_the_end[last]
    first = decision.reasons[0]
    if isinstance(first.about, State) and first.about.state and len(decision.reasons) == 1:
        return f"is {first.about.state}"
    kept, silent = _of_code("kept", decision), _of_code("no-rule", decision)
    if kept and all(reason.code in ("kept", "no-rule", "tag-goes") for reason in decision.reasons):
        return f"is {_reasons(last, decision, staying)}"
    if silent and all(reason.code in ("no-rule", "tag-goes") for reason in decision.reasons):
        tags = staying.tags.get(last, ())
        of_tags = any(reason.tag in tags for reason in silent)
        return f"stays because {_silent(silent, tags) if of_tags else _first(map(because_text, silent), ' and ')}"
    return f"stays: {_reasons(last, decision, staying)}"


def _of_code(code: ReasonCode, decision: Decision) -> list[Reason]:
    return [reason for reason in decision.reasons if reason.code == code]


def _staying_holders(ref: ObjectRef, staying: Staying) -> list[Holder]:
    return [hold for hold in staying.holds.get(ref, ()) if staying.in_the_end[hold.by].verdict == "keep"]


def _reasons(ref: ObjectRef, decision: Decision, staying: Staying) -> str:
    """Return why an object without staying holders is kept."""
    texts = []
    kept, silent = _of_code("kept", decision), _of_code("no-rule", decision)
    for reason in decision.reasons:
        if reason.code not in ("kept", "no-rule", "tag-goes"):
            texts.append(_words(reason, staying.today[ref].reasons))
    if kept:
        by = " and ".join(_by_rules(kept))
        # With other reasons to keep it, the end of this one alone does not matter.
        texts.append(f"kept {by}" if texts else _kept_until(ref, kept, by, staying))
    elif silent:
        texts.append(_silent(silent, staying.tags.get(ref, ())))
    return "; ".join(dict.fromkeys(texts))


def _silent(reasons: Sequence[Reason], tags: Iterable[str]) -> str:
    of_tags = [tag for tag in tags if any(reason.tag == tag for reason in reasons)]
    if of_tags:
        return f"no rule removes its tag{'s' if len(of_tags) > 1 else ''} {' and '.join(of_tags)}"
    if all(reason == NOT_NAMED for reason in reasons):
        return reason_text(NOT_NAMED)
    return f"no rule removes it: {_first(map(reason_text, reasons), '; ')}"


def _first(texts: Iterable[str], joint: str) -> str:
    each = list(dict.fromkeys(texts))
    more = f", and {len(each) - MOST_TEXTS} other reasons" if len(each) > MOST_TEXTS else ""
    return f"{joint.join(each[:MOST_TEXTS])}{more}"


def _words(reason: Reason, today: Iterable[Reason]) -> str:
    if reason.code == "age-unknown" and reason.rule != "protection":
        return f'{reason_text(reason)}, and rule "{reason.rule}" asks for it'
    if reason.code != "too-young":
        return reason_text(reason)
    # Only a date is never reached: show the age beside it as of today.
    same = (reason_text(other) for other in today if (other.code, other.rule) == (reason.code, reason.rule))
    return next(same, f'it is not from before the date that rule "{reason.rule}" asks for')


def _by_rules(kept: Iterable[Reason]) -> Iterator[str]:
    by_rule: dict[str, list[str]] = {}
    for reason in kept:
        by_rule.setdefault(reason.rule, []).append(reason_text(reason))
    for rule, texts in by_rule.items():
        yield f'by rule "{rule}": {", ".join(texts)}'


def _kept_until(ref: ObjectRef, kept: Sequence[Reason], by: str, staying: Staying) -> str:
    """Return what keeps an object, and what ends that or keeps it even then: "kept until 1 more image of app comes, by
    rule "releases": 3rd newest of app"."""
    without = staying.without_counts[ref]
    if without.verdict == "keep":
        return f"kept {by}; {_even_without(without, staying.tags.get(ref, ()), _reasons(ref, without, staying))}"
    end = _end(ref, kept, staying)
    return f"kept {by}" if end is None else f"kept until {end}, {by}"


def _even_without(decision: Decision, tags: Iterable[str], why: str) -> str:
    """Return the phrase for an object kept even without `keep`: "even without it no rule would remove it"."""
    if any(reason.code not in ("no-rule", "tag-goes") for reason in decision.reasons):
        return f"even without it, it would stay: {why}"
    of_tags = [tag for tag in tags if any(reason.tag == tag for reason in decision.reasons if reason.code == "no-rule")]
    what = f"its tag{'s' if len(of_tags) > 1 else ''} {' and '.join(of_tags)}" if of_tags else "it"
    return f"even without it no rule would remove {what}"


def _end(ref: ObjectRef, kept: Iterable[Reason], staying: Staying) -> str | None:
    """Return what ends all these reasons; None where only a change of the object or the policy does."""
    needed: dict[Group | None, int] = {}
    others: dict[str, None] = {}
    for reason in kept:
        about = reason.about
        is_last = isinstance(about, Kept) and about.keep == "last"
        most = _count_of(reason.rule, ref.kind, staying.policy)
        if isinstance(about, Kept) and is_last and not about.as_new_as and most is not None:
            needed[about.group] = max(needed.get(about.group, 0), most - about.place + 1)
        elif isinstance(about, KeptVersion):
            others["a newer version comes"] = None
        elif isinstance(about, Kept | KeptWithin) and not is_last and not _keeps_all(reason, ref.kind, staying.policy):
            others["newer ones have taken its place"] = None
        else:
            return None
    counted = " and ".join(more_of_group_text(count, ref.kind, group) for group, count in needed.items())
    come = "comes" if list(needed.values()) == [1] else "come"
    return " and ".join((*([f"{counted} {come}"] if counted else []), *others))


def _count_of(name: str, kind: Kind, policy: Policy) -> int | None:
    """Return how many of the newest a rule keeps; None for all."""
    counts = [rule.keep.last for rule in policy.rules if rule.name == name and kind in rule.kinds and rule.keep]
    numbers = [count for count in counts if isinstance(count, int)]
    return max(numbers, default=None) if len(numbers) == len(counts) else None


def _keeps_all(reason: Reason, kind: Kind, policy: Policy) -> bool:
    """Whether a rule keeps all of some period: then newer objects push nothing out."""
    keeps = [rule.keep for rule in policy.rules if rule.name == reason.rule and kind in rule.kinds and rule.keep]
    return any("all" in (keep.hourly, keep.daily, keep.weekly, keep.monthly, keep.yearly) for keep in keeps)
