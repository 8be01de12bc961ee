"""Sizes that the engine measures: it walks its disk for them, beside the rest of a scan, with a time-out of its own.

A walk that fails or takes too long leaves its sizes unknown, with a warning.
"""

from typing import TypeVar

import msgspec

from dockersweep.engine.api.answers import DiskUsage, UsagePart
from dockersweep.engine.api.concurrent import BackgroundCall
from dockersweep.engine.reading.engine_reads import EngineReads
from dockersweep.errors import EngineError
from dockersweep.model.inventory import ALL_SIZES, BuildCacheRecord, Container, Image, ScanWarning, Volume

SIZES_OF: dict[UsagePart, str] = {"image": "image layers", "container": "container sizes", "volume": "volume sizes"}


def start_walks(
    reads: EngineReads, sizes: bool, timeout_seconds: float
) -> dict[UsagePart | None, BackgroundCall[DiskUsage]]:
    if not sizes:
        return {}
    parts: tuple[UsagePart | None, ...] = tuple(SIZES_OF) if reads.quirks.tells_usage_in_parts else (None,)
    return {part: _walk(reads, part, timeout_seconds) for part in parts}


def _walk(reads: EngineReads, part: UsagePart | None, timeout_seconds: float) -> BackgroundCall[DiskUsage]:
    return BackgroundCall(lambda: reads.disk_usage(part, timeout_seconds))


def start_build_cache(reads: EngineReads, timeout_seconds: float) -> BackgroundCall[DiskUsage] | None:
    """BuildKit measures a record when it is first asked for, so this call has the time-out of the walks."""
    if not (reads.quirks.has_build_cache and reads.quirks.tells_usage_in_parts):
        return None
    return _walk(reads, "build-cache", timeout_seconds)


def finish_walks(walks: dict[UsagePart | None, BackgroundCall[DiskUsage]], warnings: list[ScanWarning]) -> DiskUsage:
    usage = DiskUsage()
    for part, walk in walks.items():
        try:
            part_usage = walk.result()
        except EngineError as error:
            about = SIZES_OF[part] if part else ALL_SIZES
            warnings.append(ScanWarning(about=about, text=f"unknown: {error}", reason=str(error)))
            continue
        fields = {name: value for name, value in msgspec.structs.asdict(part_usage).items() if value is not None}
        usage = msgspec.structs.replace(usage, **fields)
    return usage


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
