"""From an engine's folder on this machine to the storage of an inventory, in disk blocks."""

import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from dockersweep.engine.disk.bolt import BoltError
from dockersweep.engine.disk.ownership import check_contents
from dockersweep.engine.disk.parts import VOLUME, DiskPart, UnreadableStorageError
from dockersweep.engine.disk.stores import Stores, is_seen, volume_folder
from dockersweep.engine.disk.walk import BLOCK_BYTES, DiskBytes, MeasuredPlaces, TooLateError, Walker
from dockersweep.files import state_of, what_is_wrong
from dockersweep.model.inventory import Image, Volume
from dockersweep.model.storage import Part, Storage

if TYPE_CHECKING:
    from dockersweep.engine.disk.ahead import ReadAhead

CACHED = "layer:"
"""The prefix of ids of parts whose contents never change."""
_UNEXPECTED = (OSError, BoltError, msgspec.MsgspecError, ValueError, LookupError, TypeError, RecursionError)
"""The errors that a damaged folder, or one of an unknown version, may cause."""


def read_storage_from_disk(
    stores: Stores, known: Mapping[str, Part], timeout_seconds: float, ahead: "ReadAhead | None" = None
) -> "DiskReading":
    """Return the storage of an engine in disk blocks, and what else its folders show.

    `known` are layers of an earlier run by id, and `ahead` is what was read while the engine listed its objects;
    neither is measured again. Parts that cannot be measured, or not within `timeout_seconds`, have an unknown size.
    Raises UnreadableStorageError where the metadata cannot be read or understood, or turn out to be another engine's.
    """
    deadline = time.monotonic() + timeout_seconds
    try:
        disk_parts = _find(stores, ahead)
        volumes = _volumes(stores.listed.volumes, are_unseen="volume" in stores.unseen)
        parts = {part.id: part for part in (*_elsewhere(stores.listed.images), *disk_parts, *volumes)}
        measuring = _Measuring(stores, known, deadline, ahead)
        storage, unmeasured = measuring.storage(parts.values())
        return DiskReading(
            storage=storage,
            unmeasured=unmeasured,
            in_registry=_in_registry(disk_parts),
            written=measuring.written,
            measured=measuring.measured,
            lengths=measuring.lengths,
            unchanging=tuple(measuring.unchanging),
        )
    except _UNEXPECTED as error:
        raise UnreadableStorageError(f"{stores.root} cannot be read: {what_is_wrong(error)}") from error


class DiskReading(NamedTuple):
    """What was read from an engine's folders."""

    storage: Storage
    unmeasured: int
    """The number of parts that were not measured."""
    in_registry: Mapping[str, bool]
    """Image id -> whether it was pulled or pushed, if that is recorded."""
    written: Mapping[str, datetime]
    """Volume name -> when anything in it last changed."""
    measured: tuple[MeasuredPlaces, ...]
    """Places that need not be walked again to measure the whole folder."""
    lengths: Mapping[str, int]
    """Part id -> the file lengths that the engine would add up, as far as measured."""
    unchanging: tuple[Part, ...]
    """Layers that never need to be measured again; init layers of containers are among them, but not in the storage."""


def _in_registry(parts: Iterable[DiskPart]) -> dict[str, bool]:
    return {part.id.removeprefix("image:"): part.in_registry for part in parts if part.in_registry is not None}


def _find(stores: Stores, ahead: "ReadAhead | None") -> Collection[DiskPart]:
    folder, driver, is_certain = stores.root, stores.engine.image_store, stores.tells_its_engine
    parts: Collection[DiskPart]
    # Imported late: an engine needs only the module for its own image store.
    if ahead is not None and _finds_all(ahead, stores):
        parts = ahead.parts
    elif stores.engine.flavour == "podman":
        from dockersweep.engine.disk import podman

        parts = podman.find_parts(folder, stores.images_in, driver)
    elif driver == "containerd":
        if stores.containerd is None:
            raise UnreadableStorageError("the folder of the containerd that has the images was not found")
        from dockersweep.engine.disk import containerd

        folder, is_certain = stores.containerd, True
        parts = containerd.find_parts(stores.root, folder, stores.listed.containers)
    else:
        from dockersweep.engine.disk import graphdriver

        parts = graphdriver.find_parts(folder, driver, stores.listed.containers)
    check_contents(folder, stores.listed, {part.id for part in parts}, is_certain)
    return parts


def _finds_all(ahead: "ReadAhead", stores: Stores) -> bool:
    """Whether the parts found ahead are those that would be found now. With mounted images they are not: only the
    listed containers show whose those layers are."""
    mounted = any(mount.type == "image" for container in stores.listed.containers for mount in container.mounts)
    return stores.images_in == stores.root and not mounted and ahead.has_all()


def _elsewhere(images: tuple[Image, ...]) -> Iterator[DiskPart]:
    """Return the images of additional stores as parts without size: they take nothing in this store."""
    return (DiskPart(id=f"image:{image.id}") for image in images if image.read_only)


def _volumes(volumes: tuple[Volume, ...], *, are_unseen: bool) -> Iterator[DiskPart]:
    """Yield the local volumes; each is the folder around its mount point. What its options mount there is not removed
    with it, and not looked at: a mount whose server is gone can hang forever. With `are_unseen`, volumes that cannot be
    found are left out, not taken for empty."""
    for volume in volumes:
        folder = volume_folder(volume)
        if folder is None or (are_unseen and not is_seen(folder)):
            continue
        if volume.options:
            around = state_of(folder, follow_links=False)
            own = around.st_blocks * BLOCK_BYTES if around else 0
            places = (f"{folder}/opts.json",)
            yield DiskPart(id=f"{VOLUME}{volume.name}", places=places, known_disk_bytes=own, folder=folder)
        else:
            yield DiskPart(id=f"{VOLUME}{volume.name}", places=(folder,), counted=f"{folder}/_data")


class _Measuring:
    """Measures parts until the deadline."""

    def __init__(self, stores: Stores, known: Mapping[str, Part], deadline: float, ahead: "ReadAhead | None") -> None:
        self._start = f"{stores.root}/"
        self._known = known
        self._ahead = ahead.sizes if ahead else {}
        self._measured_at = ahead.places() if ahead else {}
        self._walker = Walker(deadline, stores.mounts)
        self.written: dict[str, datetime] = {}
        """Volume name -> when anything in it last changed, as far as measured."""
        self.lengths: dict[str, int] = {}
        """Part id -> the file lengths that the engine would add up, as far as measured."""
        self.unchanging: list[Part] = []
        """Parts that never need to be measured again."""

    @property
    def measured(self) -> tuple[MeasuredPlaces, ...]:
        """Places that need not be walked again along with the folders around them."""
        return tuple(self._walker.measured)

    def storage(self, disk_parts: Iterable[DiskPart]) -> tuple[Storage, int]:
        """Return the storage, and the number of parts that were not measured."""
        parts, unmeasured = [], 0
        for part in disk_parts:
            size = self._size(part)
            if part.lower is not None:
                lower = self._size(part.lower)
                size = _together(size, lower) if size and lower else None
            unmeasured += size is None
            if part.length is not None:
                self.lengths[part.id] = part.length
            parts.append(self._part(part, size))
        return Storage(base="disk", parts=tuple(parts)), unmeasured

    def _part(self, part: DiskPart, size: DiskBytes | None) -> Part:
        return Part(
            id=part.id,
            needs=part.needs,
            low_bytes=size.low if size else 0,
            high_bytes=size.high if size else None,
            inodes=size.inodes if size else None,
            folder=self._below(part),
        )

    def _size(self, part: DiskPart) -> DiskBytes | None:
        """Return the size of a part without its lower part; None if it was not measured."""
        if not part.never_changes:
            return self._measured(part)
        earlier = self._known.get(part.id)
        # Measurements of earlier versions have no inodes.
        if earlier is not None and earlier.folder == self._below(part) and earlier.inodes is not None:
            self.unchanging.append(earlier)
            size = DiskBytes(earlier.low_bytes, earlier.high_bytes or earlier.low_bytes, earlier.inodes)
            self._walker.know(part.places, size)
            return size
        measured = self._measured(part)
        if measured is not None:
            self.unchanging.append(self._part(part, measured))
        return measured

    def _measured(self, part: DiskPart) -> DiskBytes | None:
        measured = self._walked(part)
        if measured is None:
            return None
        if part.id.startswith(VOLUME) and measured.changed_at is not None:
            self.written[part.id.removeprefix(VOLUME)] = datetime.fromtimestamp(int(measured.changed_at), UTC)
        if measured.lengths is not None:
            self.lengths[part.id] = measured.lengths
        known = part.known_disk_bytes
        if not known:
            return measured
        return DiskBytes(
            measured.low + known,
            measured.high + known,
            measured.inodes + 1,
            is_whole=measured.is_whole,
        )

    def _walked(self, part: DiskPart) -> DiskBytes | None:
        """Return the size of a part's places; None if they were not measured."""
        ahead = self._ahead.get(part.id)
        if ahead is not None and self._measured_at.get(part.id) == part.places:
            self._walker.know(part.places, ahead)
            return ahead
        if part.places and time.monotonic() > self._walker.deadline:
            return None
        try:
            return self._walker.measure(part.places, part.counted)
        except PermissionError:
            if os.geteuid() != 0:
                # Most files of other users would be unreadable; then the engine's own figures say more.
                raise
            return None
        except (TooLateError, OSError):
            return None

    def _below(self, part: DiskPart) -> str | None:
        """Return the folder of a part, relative to the root if it is below it."""
        place = part.folder or next(iter(part.places), None)
        return None if place is None else os.fspath(place).removeprefix(self._start)


def _together(size: DiskBytes, lower: DiskBytes) -> DiskBytes:
    return DiskBytes(
        size.low + lower.low,
        size.high + lower.high,
        size.inodes + lower.inodes,
        is_whole=size.is_whole and lower.is_whole,
    )
