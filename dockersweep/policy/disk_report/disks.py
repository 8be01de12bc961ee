"""How much of each disk the engine's objects and folders use, and how full it is."""

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from dockersweep.model.disk import Disk, longest_place
from dockersweep.model.engine_folder import EngineFolder
from dockersweep.model.inventory import Kind, ObjectRef, ScanWarning
from dockersweep.model.plan import Interval
from dockersweep.model.quantities import known_sum
from dockersweep.model.report import Filling, KindOnDisk, ReportedDisk, Trend
from dockersweep.policy.bytes.disks import Region
from dockersweep.policy.bytes.totals import share_of_disk
from dockersweep.policy.disk_report.remainder import parts_of_remainder
from dockersweep.policy.disk_report.trend import filling_of
from dockersweep.policy.judging.survey import Survey


class StoredOnDisk(Struct, frozen=True):
    """How much the engine's folders use on one disk, and objects in them."""

    region: Region
    kinds: Mapping[Kind, Interval] | None
    reclaimable: Interval | None
    """Both None where sizes are lengths."""
    artifacts_bytes: int
    """How much Podman's artifacts use there."""

    @property
    def folder_bytes(self) -> int | None:
        """How much the folders use, at least as much as the objects in them; None where that was not measured."""
        folder = self.region.folder
        return None if folder is None or folder.size_bytes is None else max(folder.size_bytes, self._least_bytes)

    @property
    def folder_is_whole(self) -> bool:
        """Whether all of the folders was measured: not if the total is less than the objects in them."""
        folder = self.region.folder
        return folder is None or (folder.is_whole and self._least_bytes <= (folder.size_bytes or self._least_bytes))

    @property
    def remainder_bytes(self) -> int | None:
        """How much in the folders belongs to neither objects nor artifacts; None where that is not known."""
        counted = None if self.kinds is None else known_sum(size.high_bytes for size in self.kinds.values())
        if self.folder_bytes is None or counted is None or not self.folder_is_whole:
            return None
        return self.folder_bytes - counted - self.artifacts_bytes

    @property
    def _least_bytes(self) -> int:
        return sum(size.low_bytes for size in (self.kinds or {}).values()) + self.artifacts_bytes


def stored_on_disks(survey: Survey, going: Collection[ObjectRef]) -> list[StoredOnDisk]:
    """Return the use of each disk, the main one first; empty where neither disks nor folders were read. `going` are the
    objects that the policy removes."""
    regions = survey.on_disks.regions
    artifacts = _artifacts(survey.inventory.folder, regions)
    if survey.size_base == "lengths" or not regions:
        return [StoredOnDisk(region, None, None, size) for region, size in zip(regions, artifacts, strict=True)]
    numbers = survey.on_disks.of_nodes
    steps = survey.reclaim.steps(numbers)
    for ref in going:
        steps.add(ref)
    freed = [steps.on_disk(number) for number in range(len(regions))]
    return [
        StoredOnDisk(region, kinds, Interval(low_bytes=here.low_bytes, high_bytes=here.high_bytes), size)
        for region, kinds, here, size in zip(
            regions, survey.sizes.in_regions(numbers, len(regions)), freed, artifacts, strict=True
        )
    ]


def _artifacts(folder: EngineFolder | None, regions: Sequence[Region]) -> list[int]:
    """Return how much Podman's artifacts use in each region."""
    store = folder.artifacts if folder else None
    region_of_store = None if store is None else longest_place(store.folder, [region.places for region in regions])
    return [store.size_bytes if store and number == region_of_store else 0 for number in range(len(regions))]


def folder_warnings(stored: Sequence[StoredOnDisk]) -> tuple[ScanWarning, ...]:
    """Return why the remainder is not known, where the folders were measured."""
    measured = [on_disk for on_disk in stored if on_disk.folder_bytes is not None and on_disk.remainder_bytes is None]
    if not measured:
        return ()
    text = "not everything that is in the engine's folder is counted in disk blocks"
    if not all(on_disk.folder_is_whole for on_disk in measured):
        where = ", ".join(on_disk.region.places[0] for on_disk in measured if not on_disk.folder_is_whole)
        text = f"not all that lies in {where} could be measured"
    return (ScanWarning(about="remainder", text=f"not known: {text}"),)


def reported_disks(survey: Survey, stored: Sequence[StoredOnDisk], trend: Trend | None) -> tuple[ReportedDisk, ...]:
    """Return a row for each disk; `trend` is that of the main one, with the points of all."""
    main = stored[0].region.disk if stored else None
    return tuple(
        ReportedDisk(
            disk=disk,
            share=(share := share_of_disk(disk, main)),
            kinds=None if on_disk.kinds is None else _not_empty(on_disk.kinds),
            folder_bytes=on_disk.folder_bytes,
            folder_is_whole=on_disk.folder_is_whole,
            remainder_bytes=on_disk.remainder_bytes,
            artifacts_bytes=on_disk.artifacts_bytes,
            remainder_parts=parts_of_remainder(survey, on_disk.region.folder, on_disk.remainder_bytes),
            reclaimable=on_disk.reclaimable,
            filling=None if trend is None else _filling(disk, share, trend),
        )
        for on_disk in stored
        if (disk := on_disk.region.disk) is not None
    )


def _filling(disk: Disk, share: str, trend: Trend) -> Filling:
    if share != "disk":
        return filling_of(trend.points, disk, share)
    return Filling(
        growth=next(growth for growth in trend.growth if growth.share == "disk"),
        full_in_days=trend.full_in_days,
        full_in_days_soonest=trend.full_in_days_soonest,
        full_in_days_latest=trend.full_in_days_latest,
        text=trend.text,
    )


def _not_empty(kinds: Mapping[Kind, Interval]) -> tuple[KindOnDisk, ...]:
    return tuple(KindOnDisk(kind=kind, size=size) for kind, size in kinds.items() if size.high_bytes != 0)
