"""The circuit breaker: limits on how much a plan may remove, checked before anything is removed."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct, field

from dockersweep.model.inventory import KINDS, Kind, ObjectRef
from dockersweep.model.naming import PLURAL_OF
from dockersweep.model.plan import Decision, Interval
from dockersweep.model.policy import LimitSettings
from dockersweep.units import format_size
from dockersweep.words.lists import both


class Gone(Struct, frozen=True):
    """What earlier rounds of the run have removed: it counts too."""

    of_kind: Mapping[Kind, int] = field(default_factory=dict)
    size_bytes: int = 0
    unrecoverable: int = 0
    """How many of these objects nothing brings back."""


NOTHING_GONE = Gone()
NO_LIMITS = LimitSettings()


def exceeded(
    limits: LimitSettings,
    decisions: Sequence[Decision],
    reclaim: Interval,
    before: Gone,
    is_lost: Callable[[ObjectRef], bool],
) -> tuple[str, ...]:
    """Return a sentence for each limit that a plan exceeds; empty where it exceeds none. `is_lost` says whether nothing
    brings an object back.

    A limit for bytes is exceeded where there is no upper bound for what would be freed.
    """
    if limits == NO_LIMITS:
        return ()
    removed = Counter(decision.kind for decision in decisions if decision.verdict == "remove")
    tags = sum(len(decision.untag) for decision in decisions)
    if not removed and not tags:
        return ()
    totals = Counter(decision.kind for decision in decisions) + Counter(before.of_kind)
    removed += Counter(before.of_kind)
    sentences: list[str] = []
    if limits.objects is not None and removed.total() + tags > limits.objects:
        and_tags = f" and {tags} tag{'' if tags == 1 else 's'}" if tags else ""
        sentences.append(f"{_objects(removed.total())}{and_tags} to remove, {limits.objects} allowed")
    if limits.size_bytes is not None:
        allowed = f"{format_size(limits.size_bytes)} allowed"
        if reclaim.high_bytes is None:
            why = reclaim.reason or "some sizes are not known"
            sentences.append(f"it is not known how much would be freed at most ({why}), {allowed}")
        elif reclaim.high_bytes + before.size_bytes > limits.size_bytes:
            sentences.append(f"up to {format_size(reclaim.high_bytes + before.size_bytes)} would be freed, {allowed}")
    if limits.unrecoverable is not None:
        lost = sum(decision.verdict == "remove" and is_lost(decision.ref) for decision in decisions)
        if lost + before.unrecoverable > limits.unrecoverable:
            words = f"{_objects(lost + before.unrecoverable)} to remove that cannot be recovered"
            sentences.append(f"{words}, {limits.unrecoverable} allowed")
    if limits.share_percent is not None:
        for kind in KINDS:
            if removed[kind] * 100 > limits.share_percent * totals[kind]:
                share = 100 * removed[kind] / totals[kind]
                sentences.append(
                    f"{removed[kind]} of {_objects(totals[kind])} of the kind {kind} to remove ({share:.3g}%), "
                    f"{limits.share_percent:g}% allowed"
                )
    return tuple(sentences)


def over_half(decisions: Sequence[Decision], before: Gone = NOTHING_GONE) -> str | None:
    """Say of which kinds a plan, with the rounds before it, removes more than half: "2 of 3 containers and 6 of 6
    build-cache records would go"; None where it does of none."""
    removed = Counter(decision.kind for decision in decisions if decision.verdict == "remove") + Counter(before.of_kind)
    totals = Counter(decision.kind for decision in decisions) + Counter(before.of_kind)
    kinds = [kind for kind in KINDS if removed[kind] * 2 > totals[kind]]
    counts = both(f"{removed[kind]} of {totals[kind]} {PLURAL_OF[kind]}" for kind in kinds)
    return f"{counts} would go" if kinds else None


def _objects(count: int) -> str:
    return f"{count} object{'' if count == 1 else 's'}"
