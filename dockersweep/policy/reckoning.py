"""Holds what a sweep gave back against what was predicted: pure, from outcomes and what was measured."""

from collections.abc import Collection, Iterable, Iterator

from dockersweep.model.inventory import Inventory
from dockersweep.model.outcome import Outcome, Reclaimed
from dockersweep.model.plan import ObjectRef
from dockersweep.model.storage import Part
from dockersweep.policy.reclaim import Prediction, Reclaim

TELLING_BYTES = 1_000_000
TELLING_SHARE = 0.01
"""Measured and predicted disagree where they are further apart than both."""
MOST_SURPRISES = 20


def prediction_of(inventory: Inventory, outcomes: Iterable[Outcome]) -> Prediction:
    """Return what was to come back of just the objects that went, those that others had removed first of all."""
    whole = [outcome for outcome in outcomes if outcome.action == "remove"]
    went = [outcome for status in ("gone", "removed") for outcome in whole if outcome.status == status]
    return Reclaim(inventory).in_order([ObjectRef(kind=one.kind, id=one.id) for one in went])


def reckon(
    inventory: Inventory,
    outcomes: Collection[Outcome],
    prediction: Prediction,
    gone: Collection[str] | None,
    free_space_bytes: int | None,
) -> Reclaimed:
    """Return what came back. `gone` are the ids of the parts that are no longer on the disk, None where that cannot
    be read; then the engine's answers must tell."""
    already_gone = sum(one.status == "gone" and one.action == "remove" for one in outcomes)
    low = prediction.total.low_bytes - sum(row.low_bytes for row in prediction.rows[:already_gone])
    highs = [row.high_bytes for row in prediction.rows[already_gone:]]
    high = None if None in highs else sum(row or 0 for row in highs)
    if not already_gone:
        high = prediction.total.high_bytes
    parts = {part.id: part for part in (inventory.storage.parts if inventory.storage else ())}
    measured = _proven(outcomes) if gone is None else sum(_size(parts[one]) for one in gone)
    surprises: tuple[str, ...] = ()
    if measured is not None and disagree(measured, low, high) and gone is not None:
        surprises = tuple(_surprises(parts, set(prediction.parts), set(gone)))[:MOST_SURPRISES]
    return Reclaimed(
        low_bytes=max(0, low),
        high_bytes=high,
        measured_bytes=measured,
        measured_by=None if measured is None else "answers" if gone is None else "disk",
        free_space_bytes=free_space_bytes,
        surprises=surprises,
    )


def disagree(measured: int, low: int, high: int | None) -> bool:
    """Return whether what was measured is further from what was predicted than rounding explains."""
    off = low - measured if measured < low else 0 if high is None else measured - high
    return off > max(TELLING_BYTES, TELLING_SHARE * measured)


def _proven(outcomes: Collection[Outcome]) -> int | None:
    freed = [outcome.freed_bytes for outcome in outcomes if outcome.status == "removed"]
    return None if None in freed else sum(size or 0 for size in freed)


def _size(part: Part) -> int:
    return part.low_bytes if part.high_bytes is None else part.high_bytes


def _surprises(parts: dict[str, Part], expected: set[str], gone: set[str]) -> Iterator[str]:
    """Name what would have to be looked at, the largest first."""
    stayed = [part for part in parts.values() if part.id in expected - gone and part.folder]
    also = [parts[one] for one in gone - expected]
    for text, odd in (("still there", stayed), ("gone without being told", also)):
        for part in sorted(odd, key=_size, reverse=True):
            yield f"{text}: {part.id} ({_size(part)} bytes) in {part.folder}"
