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
"""What the ids of parts begin with whose contents never change."""
_UNEXPECTED = (OSError, BoltError, msgspec.MsgspecError, ValueError, LookupError, TypeError, RecursionError)
"""What a folder that is damaged, or of a version that is not known, may lead to."""


def read_storage_from_disk(
    stores: Stores, known: Mapping[str, Part], timeout_seconds: float, ahead: "ReadAhead | None" = None
) -> "DiskReading":
    """Return the storage of an engine in disk blocks, and what else its folders tell.

    `known` are layers from an earlier run by their ids, which are not measured again, nor is what was measured in the
    engine's folder while the objects were listed, `ahead`. What cannot be measured within
    `timeout_seconds`, or not at all, is of unknown size. Raises UnreadableStorageError where the metadata are not
    readable, not understood, or by a closer look not of the engine that listed these objects.
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
    """What an engine's folder tells."""

    storage: Storage
    unmeasured: int
    """How many parts were not measured."""
    in_registry: Mapping[str, bool]
    """Whether an image was pulled or pushed, by its id, where that is recorded there."""
    written: Mapping[str, datetime]
    """When anything in a volume last changed, by its name."""
    measured: tuple[MeasuredPlaces, ...]
    """What need not be walked again to measure all of the folder."""
    lengths: Mapping[str, int]
    """What the engine adds up of a part, by its id, as far as that was measured."""
    unchanging: tuple[Part, ...]
    """Layers that were measured once and for all; those of containers are no parts of the storage."""


def _in_registry(parts: Iterable[DiskPart]) -> dict[str, bool]:
    return {part.id.removeprefix("image:"): part.in_registry for part in parts if part.in_registry is not None}


def _find(stores: Stores, ahead: "ReadAhead | None") -> Collection[DiskPart]:
    folder, driver, is_certain = stores.root, stores.engine.image_store, stores.tells_its_engine
    parts: Collection[DiskPart]
    # Each engine keeps its images in one way, and needs none of what reads the others.
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
    """Whether what was found ahead is what would be found now: whose the layers of mounted images are only containers
    tell."""
    mounted = any(mount.type == "image" for container in stores.listed.containers for mount in container.mounts)
    return stores.images_in == stores.root and not mounted and ahead.has_all()


def _elsewhere(images: tuple[Image, ...]) -> Iterator[DiskPart]:
    """What lies in additional stores takes nothing here."""
    return (DiskPart(id=f"image:{image.id}") for image in images if image.read_only)


def _volumes(volumes: tuple[Volume, ...], *, are_unseen: bool) -> Iterator[DiskPart]:
    """A local volume is the folder around its mount point. What its options mount there does not go with it, and is
    not looked at: to ask a mount whose server is gone can take for ever. Where volumes cannot be seen they are not
    taken for empty."""
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
    """Measures what was found, as long as there is time."""

    def __init__(self, stores: Stores, known: Mapping[str, Part], deadline: float, ahead: "ReadAhead | None") -> None:
        self._start = f"{stores.root}/"
        self._known = known
        self._ahead = ahead.sizes if ahead else {}
        self._measured_at = ahead.places() if ahead else {}
        self._walker = Walker(deadline, stores.mounts)
        self.written: dict[str, datetime] = {}
        """When anything in a volume last changed, by its name, as far as volumes were measured."""
        self.lengths: dict[str, int] = {}
        """What the engine adds up of a part, by its id, as far as that was measured."""
        self.unchanging: list[Part] = []
        """What need never be measured again."""

    @property
    def measured(self) -> tuple[MeasuredPlaces, ...]:
        """What need not be walked again with what lies around it."""
        return tuple(self._walker.measured)

    def storage(self, disk_parts: Iterable[DiskPart]) -> tuple[Storage, int]:
        """Return the storage, and how many parts were not measured."""
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
        """Return what a part takes without its lower one; None where it was not measured."""
        if not part.never_changes:
            return self._measured(part)
        earlier = self._known.get(part.id)
        # What an earlier version measured has no inodes.
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
        """Return what the places of a part take; None where they were not measured."""
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
                # Little would be known of the files of others; then the engine's own figures say more.
                raise
            return None
        except (TooLateError, OSError):
            return None

    def _below(self, part: DiskPart) -> str | None:
        """Return where a part lies, as a path from the root if that is above it."""
        place = part.folder or next(iter(part.places), None)
        return None if place is None else os.fspath(place).removeprefix(self._start)


def _together(one: DiskBytes, other: DiskBytes) -> DiskBytes:
    return DiskBytes(
        one.low + other.low,
        one.high + other.high,
        one.inodes + other.inodes,
        is_whole=one.is_whole and other.is_whole,
    )
