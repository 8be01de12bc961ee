"""The circuit breaker: limits on how much a plan may remove, checked before anything is removed."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct, field

from dockersweep.model.inventory import KINDS, Kind, ObjectRef
from dockersweep.model.naming import PLURAL_OF
from dockersweep.model.plan import Decision, Interval, Limits
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
UNRECOVERABLE = "--max-unrecoverable"
"""The flag that raises the limit of what is lost."""


def exceeded(
    limits: LimitSettings,
    decisions: Sequence[Decision],
    reclaim: Interval,
    before: Gone,
    is_lost: Callable[[ObjectRef], bool],
) -> Limits:
    """Return a sentence for each limit that a plan exceeds, with the flags that raise them. `is_lost` says whether
    nothing brings an object back.

    A limit for bytes is exceeded where there is no upper bound for what would be freed.
    """
    if limits == NO_LIMITS:
        return Limits()
    removed = Counter(decision.kind for decision in decisions if decision.verdict == "remove")
    tags = sum(len(decision.untag) for decision in decisions)
    if not removed and not tags:
        return Limits()
    totals = Counter(decision.kind for decision in decisions) + Counter(before.of_kind)
    removed += Counter(before.of_kind)
    found = [
        *_of_objects(limits, removed.total(), tags),
        *_of_bytes(limits, reclaim, before),
        *_of_lost(limits, decisions, before, is_lost),
        *_of_shares(limits, removed, totals),
    ]
    return Limits(exceeded=tuple(text for text, _ in found), flags=tuple(dict.fromkeys(flag for _, flag in found)))


def _of_objects(limits: LimitSettings, objects: int, tags: int) -> Iterator[tuple[str, str]]:
    if limits.objects is not None and objects + tags > limits.objects:
        and_tags = f" and {tags} tag{'' if tags == 1 else 's'}" if tags else ""
        yield f"{_objects(objects)}{and_tags} to remove, {limits.objects} allowed", "--max-objects"


def _of_bytes(limits: LimitSettings, reclaim: Interval, before: Gone) -> Iterator[tuple[str, str]]:
    if limits.size_bytes is None:
        return
    allowed = f"{format_size(limits.size_bytes)} allowed"
    if reclaim.high_bytes is None:
        why = reclaim.reason or "some sizes are not known"
        yield f"it is not known how much would be freed at most ({why}), {allowed}", "--max-bytes"
    elif reclaim.high_bytes + before.size_bytes > limits.size_bytes:
        yield f"up to {format_size(reclaim.high_bytes + before.size_bytes)} would be freed, {allowed}", "--max-bytes"


def _of_lost(
    limits: LimitSettings, decisions: Sequence[Decision], before: Gone, is_lost: Callable[[ObjectRef], bool]
) -> Iterator[tuple[str, str]]:
    if limits.unrecoverable is None:
        return
    lost = [one for one in decisions if one.verdict == "remove" and is_lost(one.ref)]
    count = len(lost) + before.unrecoverable
    if count > limits.unrecoverable:
        # Few plans are over it.
        from dockersweep.words.recovery import names_of

        names = names_of([(one.kind, one.name, one.size_bytes) for one in lost])
        which = f" ({names})" if names else ""
        text = f"{_objects(count)} to remove that cannot be recovered{which}, {limits.unrecoverable} allowed"
        yield text, UNRECOVERABLE


def _of_shares(
    limits: LimitSettings, removed: Mapping[Kind, int], totals: Mapping[Kind, int]
) -> Iterator[tuple[str, str]]:
    if limits.share_percent is None:
        return
    for kind in KINDS:
        if removed[kind] * 100 > limits.share_percent * totals[kind]:
            share = 100 * removed[kind] / totals[kind]
            text = f"{removed[kind]} of {_objects(totals[kind])} of the kind {kind} to remove ({share:.3g}%)"
            yield f"{text}, {limits.share_percent:g}% allowed", "--max-share"


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
