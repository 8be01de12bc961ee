"""Compares what a sweep freed, by its outcomes and the measured disk, with the prediction."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from msgspec.structs import replace

from dockersweep.model.outcome import DiskMeasurement, FreedOnDisk, Outcome, Reclaimed
from dockersweep.model.quantities import known_sum
from dockersweep.model.storage import Part, Storage
from dockersweep.policy.bytes.on_disks import OnDisks
from dockersweep.policy.bytes.reclaim import Prediction, Reclaim

TELLING_BYTES = 1_000_000
TELLING_SHARE = 0.01
"""Measurement and prediction disagree where they differ by more than both."""
MOST_SURPRISES = 20


def exact_parts(storage: Storage | None) -> dict[str, int]:
    """Return part id -> size, for the parts with an exactly known size. Undivided layers are left out: that the top one
    is gone proves nothing about their bytes."""
    parts = storage.parts if storage else ()
    return {
        part.id: part.low_bytes for part in parts if part.low_bytes == part.high_bytes and part.undivided_layers == 1
    }


def prediction_of(reclaim: Reclaim, outcomes: Iterable[Outcome]) -> Prediction:
    """Return the prediction for the objects that are gone, those that others had removed first."""
    whole = [outcome for outcome in outcomes if outcome.action == "remove"]
    gone = [outcome for status in ("gone", "removed") for outcome in whole if outcome.status == status]
    return reclaim.in_order([outcome.ref for outcome in gone])


def reclaimed_of(
    storage: Storage | None, outcomes: Collection[Outcome], prediction: Prediction, disk: DiskMeasurement | None
) -> Reclaimed:
    """Return what was freed, by the disk's measurement, or by the engine's answers where `disk` is None."""
    low, high = _of_ours(prediction, _already_gone(outcomes))
    parts = {part.id: part for part in (storage.parts if storage else ())}
    our_parts = _our_parts(prediction, outcomes)
    measured = _proven(outcomes) if disk is None else _measured(parts, our_parts, disk)
    surprises: tuple[str, ...] = ()
    if measured is not None and disagree(measured, low, high):
        if disk is None:
            surprises = (f"the answers of the engine prove {measured} bytes; compare what each removal freed",)
        else:
            surprises = tuple(_surprises(parts, our_parts, disk))[:MOST_SURPRISES]
    return Reclaimed(
        low_bytes=low,
        high_bytes=high,
        measured_bytes=measured,
        measured_by=None if measured is None else "answers" if disk is None else "disk",
        free_space_bytes=None if disk is None else disk.free_space_bytes,
        surprises=surprises,
    )


def freed_on_disks(
    on_disks: OnDisks, outcomes: Collection[Outcome], prediction: Prediction, measured: DiskMeasurement | None
) -> tuple[FreedOnDisk, ...]:
    """Return what was freed on each disk of an engine; empty for an engine with one disk, or without a measurement."""
    if measured is None or len(on_disks.disks) < 2:
        return ()
    parts = {part.id: part for part in prediction.graph.parts}
    disk_of = dict(zip(parts, on_disks.of_nodes, strict=True))
    our_parts = _our_parts(prediction, outcomes)
    freed = []
    for number, disk in enumerate(on_disks.disks):
        gone = frozenset(part for part in measured.gone if disk_of.get(part) == number)
        # Volumes were measured together: if they are on several disks, each counts with its size in the scan.
        of_volumes = measured.volumes if measured.volumes <= gone else frozenset[str]()
        volume_bytes = measured.volume_bytes if of_volumes else None
        on_this_disk = replace(measured, gone=gone, volumes=of_volumes, volume_bytes=volume_bytes)
        freed.append(FreedOnDisk(disk=disk.name, measured_bytes=_measured(parts, our_parts, on_this_disk)))
    return tuple(freed)


def _already_gone(outcomes: Iterable[Outcome]) -> int:
    """Return how many objects others had removed; they are the first rows of a prediction."""
    return sum(outcome.status == "gone" and outcome.action == "remove" for outcome in outcomes)


def _our_parts(prediction: Prediction, outcomes: Iterable[Outcome]) -> set[str]:
    already_gone = _already_gone(outcomes)
    return {part for part, row in prediction.parts.items() if row >= already_gone}


def _of_ours(prediction: Prediction, already_gone: int) -> tuple[int, int | None]:
    """Return the bounds of what our own removals free: all rows but the first ones, which others had removed."""
    if not already_gone:
        return prediction.total.low_bytes, prediction.total.high_bytes
    our_rows = prediction.rows[already_gone:]
    highs = [row.high_bytes for row in our_rows]
    return sum(row.low_bytes for row in our_rows), known_sum(highs)


def disagree(measured: int, low: int, high: int | None) -> bool:
    """Return whether the measurement is further from the prediction than rounding explains."""
    off = low - measured if measured < low else 0 if high is None else measured - high
    return off > max(TELLING_BYTES, TELLING_SHARE * measured)


def _proven(outcomes: Collection[Outcome]) -> int | None:
    freed = [outcome.freed_bytes for outcome in outcomes if outcome.status == "removed"]
    return known_sum(freed)


def _measured(parts: Mapping[str, Part], our_parts: Collection[str], disk: DiskMeasurement) -> int | None:
    """Return the least size of our parts that are gone; None where the size of one is not known."""
    gone = [parts[part] for part in disk.gone if part in our_parts and part not in disk.volumes]
    if any(part.high_bytes is None for part in gone):
        return None
    return sum(part.low_bytes for part in gone) + (disk.volume_bytes or 0)


def _surprises(parts: Mapping[str, Part], our_parts: Collection[str], disk: DiskMeasurement) -> Iterator[str]:
    """Name the parts to look at, the largest first."""
    for text, ids in (("still there", disk.still_there), ("gone without being told", disk.gone - set(our_parts))):
        for part in sorted((parts[part_id] for part_id in ids), key=lambda part: part.low_bytes, reverse=True):
            if part.high_bytes != 0:
                yield f"{text}: {part.id} ({part.low_bytes} bytes) in {part.folder}"
