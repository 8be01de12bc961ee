"""Sizes that the engine measures: it walks its disk for them, in parallel to the scan, with a separate time-out. Sizes
that dockersweep can measure itself are not requested.

If a walk fails or takes too long, its sizes are unknown, with a warning.
"""

from collections.abc import Iterable, Set
from typing import TypeVar

import msgspec

from dockersweep.engine.api.answers import DiskUsage, UsagePart
from dockersweep.engine.api.concurrent import BackgroundCall
from dockersweep.engine.api.quirks import Quirks
from dockersweep.engine.disk.stores import Stores
from dockersweep.engine.reading.engine_reads import EngineReads
from dockersweep.errors import EngineError
from dockersweep.model.inventory import (
    ALL_SIZES,
    STOPPED_STATES,
    BuildCacheRecord,
    Container,
    Image,
    ScanWarning,
    Volume,
)

SIZES_OF: dict[UsagePart, str] = {"image": "image layers", "container": "container sizes", "volume": "volume sizes"}


Walks = dict[UsagePart | None, BackgroundCall[DiskUsage]]
"""The running measurements by part; None is all parts."""


def all_parts(quirks: Quirks) -> tuple[UsagePart | None, ...]:
    """Return the parts to request if nothing can be measured here."""
    return tuple(SIZES_OF) if quirks.tells_usage_in_parts else (None,)


def first_parts(quirks: Quirks, has_local_folder: bool) -> tuple[UsagePart | None, ...]:
    """Return the parts to request at once: if the engine's folder is on this machine, without those that are likely to
    be measured here. Docker before 23.0 walks everything for any part."""
    if not has_local_folder or not (quirks.tells_usage_in_parts or quirks.is_podman):
        return all_parts(quirks)
    if quirks.is_podman:
        return ()
    measured: set[UsagePart] = {"volume"}
    if quirks.has_native_diff:
        measured.add("container")
    if not quirks.has_containerd_store:
        measured.add("image")
    return tuple(part for part in SIZES_OF if part not in measured)


def parts_left(quirks: Quirks, stores: Stores, measured: DiskUsage) -> tuple[UsagePart | None, ...]:
    """Return the parts to request because something in them was not measured here, and the engine may measure it."""
    containers, volumes = measured.writable_bytes or {}, measured.volume_bytes or {}
    mounted = _mounted_volumes(stores)
    left: list[UsagePart] = []
    if quirks.sums_up_layers and measured.layers_bytes is None:
        left.append("image")
    if any(containers.get(container.id) is None for container in stores.listed.containers):
        left.append("container")
    if any(
        volumes.get(volume.name) is None and _engine_measures(volume, quirks, mounted)
        for volume in stores.listed.volumes
    ):
        left.append("volume")
    return tuple(left) if quirks.tells_usage_in_parts or not left else (None,)


def _mounted_volumes(stores: Stores) -> set[str | None]:
    """Return the names of the volumes that are visibly mounted now."""
    running = (container for container in stores.listed.containers if container.state not in STOPPED_STATES)
    by_hand = {volume.name for volume in stores.listed.volumes if volume.mountpoint in stores.mounts}
    return {mount.volume for container in running for mount in container.mounts} | by_hand


def _engine_measures(volume: Volume, quirks: Quirks, mounted: Set[str | None]) -> bool:
    """Docker does not measure volumes with options or of plugins; Podman not those that their options mount, unless
    they are mounted now (SystemDf in pkg/domain/infra/abi/system.go)."""
    if not quirks.is_podman:
        return volume.driver == "local" and not volume.options
    return volume.name in mounted or volume.options.keys().isdisjoint(("type", "device"))


def start_walks(reads: EngineReads, parts: Iterable[UsagePart | None], timeout_seconds: float) -> Walks:
    """Request these parts, each in a separate call."""
    return {part: _walk(reads, part, timeout_seconds) for part in parts}


def _walk(reads: EngineReads, part: UsagePart | None, timeout_seconds: float) -> BackgroundCall[DiskUsage]:
    return BackgroundCall(lambda: reads.disk_usage(part, timeout_seconds))


def start_build_cache(reads: EngineReads, timeout_seconds: float) -> BackgroundCall[DiskUsage] | None:
    """Request the build cache. BuildKit measures a record on its first request, so this has the time-out of a walk."""
    if not (reads.quirks.has_build_cache and reads.quirks.tells_usage_in_parts):
        return None
    return _walk(reads, "build-cache", timeout_seconds)


def finish_walks(walks: Walks, warnings: list[ScanWarning]) -> DiskUsage:
    usage = DiskUsage()
    for part, walk in walks.items():
        try:
            part_usage = walk.result()
        except EngineError as error:
            about = SIZES_OF[part] if part else ALL_SIZES
            warnings.append(ScanWarning(about=about, text=f"unknown: {error}", reason=str(error)))
            continue
        usage = merged_usage(usage, part_usage)
    return usage


def merged_usage(*usages: DiskUsage) -> DiskUsage:
    """Return all known values of these usages; the last one wins."""
    fields = (msgspec.structs.asdict(usage).items() for usage in usages)
    return DiskUsage(**{name: value for items in fields for name, value in items if value is not None})


def read_build_cache(
    reads: EngineReads, call: BackgroundCall[DiskUsage] | None, usage: DiskUsage, warnings: list[ScanWarning]
) -> tuple[BuildCacheRecord, ...] | None:
    if not reads.quirks.has_build_cache:
        return ()
    records = usage.build_cache if call is None else call.result().build_cache
    if records is None:
        text = "not read: this engine tells it only together with all sizes, and those were not asked for or not told"
        warnings.append(ScanWarning(about="build cache", text=text))
    return records


Sized = TypeVar("Sized", Container, Volume)


def with_size(sized: Sized, sizes: dict[str, int | None] | None, key: str) -> Sized:
    size = None if sizes is None else sizes.get(key)
    return sized if size is None else msgspec.structs.replace(sized, size_bytes=size)


def with_shared_size(image: Image, shared: dict[str, int | None] | None) -> Image:
    if shared is None or image.shared_bytes is not None:
        return image
    return msgspec.structs.replace(image, shared_bytes=shared.get(image.id))
