"""The circuit breaker: limits on how much a plan may remove, checked before anything is removed."""

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from dockersweep.model.inventory import KINDS, Kind
from dockersweep.model.naming import PLURAL_OF
from dockersweep.model.plan import Decision, Interval
from dockersweep.model.policy import LimitSettings
from dockersweep.units import format_size
from dockersweep.words.lists import both


class Gone(Struct, frozen=True):
    """What earlier rounds of the run have removed: it counts too."""

    of_kind: Mapping[Kind, int] = field(default_factory=dict)
    size_bytes: int = 0


NOTHING_GONE = Gone()
NO_LIMITS = LimitSettings()


def exceeded(limits: LimitSettings, decisions: Sequence[Decision], reclaim: Interval, before: Gone) -> tuple[str, ...]:
    """Return a sentence for each limit that a plan exceeds; empty where it exceeds none.

    A limit for bytes is exceeded where there is no upper bound for what would be freed.
    """
    if limits == NO_LIMITS:
        return ()
    goes = Counter(decision.kind for decision in decisions if decision.verdict == "remove")
    tags = sum(len(decision.untag) for decision in decisions)
    if not goes and not tags:
        return ()
    there = Counter(decision.kind for decision in decisions) + Counter(before.of_kind)
    goes += Counter(before.of_kind)
    sentences: list[str] = []
    if limits.objects is not None and goes.total() + tags > limits.objects:
        and_tags = f" and {tags} tag{'' if tags == 1 else 's'}" if tags else ""
        sentences.append(f"{_objects(goes.total())}{and_tags} to remove, {limits.objects} allowed")
    if limits.size_bytes is not None:
        allowed = f"{format_size(limits.size_bytes)} allowed"
        if reclaim.high_bytes is None:
            why = reclaim.reason or "some sizes are not known"
            sentences.append(f"it is not known how much would be freed at most ({why}), {allowed}")
        elif reclaim.high_bytes + before.size_bytes > limits.size_bytes:
            sentences.append(f"up to {format_size(reclaim.high_bytes + before.size_bytes)} would be freed, {allowed}")
    if limits.share_percent is not None:
        for kind in KINDS:
            if goes[kind] * 100 > limits.share_percent * there[kind]:
                share = 100 * goes[kind] / there[kind]
                sentences.append(
                    f"{goes[kind]} of {_objects(there[kind])} of the kind {kind} to remove ({share:.3g}%), "
                    f"{limits.share_percent:g}% allowed"
                )
    return tuple(sentences)


def over_half(decisions: Sequence[Decision], before: Gone = NOTHING_GONE) -> str | None:
    """Say of which kinds a plan, with the rounds before it, removes more than half: "2 of 3 containers and 6 of 6
    build-cache records would go"; None where it does of none."""
    goes = Counter(decision.kind for decision in decisions if decision.verdict == "remove") + Counter(before.of_kind)
    there = Counter(decision.kind for decision in decisions) + Counter(before.of_kind)
    much = [kind for kind in KINDS if goes[kind] * 2 > there[kind]]
    counts = both(f"{goes[kind]} of {there[kind]} {PLURAL_OF[kind]}" for kind in much)
    return f"{counts} would go" if much else None


def _objects(count: int) -> str:
    return f"{count} object{'' if count == 1 else 's'}"
