"""Reads an inventory: a constant number of list calls, and one inspect per stopped container; for a report one for
each other container too.

What walks the engine's disk (sizes of volumes and writable layers) runs beside the rest, has a time-out of its own and
may fail: then sizes are unknown. A list call that fails makes the scan fail, because nothing may be judged from half
a picture.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Protocol, TypeVar

import msgspec

from dockersweep.engine.cache_limit import read_cache_limit
from dockersweep.engine.client import DiskUsage, UsagePart
from dockersweep.engine.container_logs import hidden_log_path, log_bytes
from dockersweep.engine.disk.folder import FolderTold, not_in_time, read_folder
from dockersweep.engine.disk.found import Listed
from dockersweep.engine.disk.space import disk_of
from dockersweep.engine.image_layers import ImageLayers
from dockersweep.engine.other_tools import External, read_external, with_sizes
from dockersweep.engine.own_container import own_container_id
from dockersweep.engine.side_by_side import GRACE_SECONDS, Beside, Progress, ask_for_all
from dockersweep.engine.storage import Remembered, read_storage
from dockersweep.engine.swarm import SwarmRole
from dockersweep.errors import EngineError
from dockersweep.model.inventory import (
    ALL_SIZES,
    STOPPED_STATES,
    BuildCacheRecord,
    Container,
    Disk,
    Engine,
    Image,
    Inventory,
    Network,
    ScanWarning,
    Service,
    Volume,
)

SIZES_OF: dict[UsagePart, str] = {"image": "image layers", "container": "container sizes", "volume": "volume sizes"}

LogSizes = Mapping[str, int | None]


class EngineReads(Protocol):
    """What a scan asks an engine for; there is nothing in it that changes anything."""

    engine: Engine
    clock: datetime | None

    @property
    def tells_usage_in_parts(self) -> bool: ...
    @property
    def has_build_cache(self) -> bool: ...
    @property
    def swarm_role(self) -> SwarmRole: ...
    def services(self) -> tuple[Service, ...]: ...
    def containers(self) -> tuple[Container, ...]: ...
    def container(self, container_id: str) -> Container | None: ...
    def image_layers(self, image_id: str) -> ImageLayers | None: ...
    def images(self) -> tuple[Image, ...]: ...
    def volumes(self) -> tuple[tuple[Volume, ...], tuple[str, ...]]: ...
    def networks(self) -> tuple[Network, ...]: ...
    def external_containers(self) -> External: ...
    def run_root(self) -> str | None: ...
    def disk_usage(self, part: UsagePart | None, timeout_seconds: float) -> DiskUsage: ...


def scan(
    reads: EngineReads,
    sizes: bool = True,
    size_timeout_seconds: float = 900,
    progress: Progress = lambda done, total: None,
    known: Remembered | None = None,
    for_report: bool = False,
) -> tuple[Inventory, Remembered]:
    """Return what the engine holds, and what of it never changes, to be given as `known` to the next scan.

    Raises EngineError when a list call fails. Without `sizes` neither the engine nor we walk its disk. `for_report`
    also reads what removes nothing: the logs and restarts of running containers, the engine's folder as a whole, and
    the limit of its build cache.
    """
    walks = _start_walks(reads, sizes, size_timeout_seconds)
    cache_call = _start_build_cache(reads, size_timeout_seconds)
    images_call, volumes_call, networks_call = Beside(reads.images), Beside(reads.volumes), Beside(reads.networks)
    external_call = Beside(lambda: read_external(reads))
    images, (volumes, plugins_said), networks = images_call.result(), volumes_call.result(), networks_call.result()
    # Containers and services come last: one that was created meanwhile still shows what it holds of the above.
    services_call = Beside(reads.services) if reads.swarm_role == "manager" else None
    found = reads.containers()
    external, external_warnings = external_call.result()
    warnings = [ScanWarning(about="volumes", text=text) for text in plugins_said]
    containers = tuple(_read_stopped(reads, found, size_timeout_seconds, warnings, progress))
    services = _services(reads.swarm_role, services_call, warnings)
    if for_report:
        containers = tuple(_read_running(reads, containers, size_timeout_seconds, warnings, progress))
    usage = _finish_walks(walks, warnings)
    images = tuple(_with_shared(seen, usage.shared_bytes) for seen in images)
    build_cache = _build_cache(reads, cache_call, usage, warnings)
    listed = Listed(containers, images, volumes, build_cache)
    seconds = size_timeout_seconds
    folder_walk = Beside(lambda: read_folder(reads.engine, listed, seconds)) if for_report and sizes else None
    told = read_storage(reads, listed, known or {}, size_timeout_seconds if sizes else None, progress)
    disk = _disk_in_time(reads.engine, listed, seconds)
    folder, folder_warnings = (None, ()) if folder_walk is None else _folder_in_time(folder_walk, seconds)
    limit, limit_warnings = read_cache_limit(reads.engine, disk) if for_report else (None, ())
    inventory = Inventory(
        schema="dockersweep.inventory/1",
        engine=reads.engine,
        taken_at=reads.clock or datetime.now(UTC),
        own_container_id=own_container_id(),
        containers=tuple(_with_size(seen, usage.writable_bytes, seen.id) for seen in containers),
        images=tuple(_with_registry(seen, told.in_registry) for seen in images),
        volumes=tuple(_with_size(seen, usage.volume_bytes, seen.name) for seen in volumes),
        networks=networks,
        build_cache=build_cache,
        layers_bytes=usage.layers_bytes,
        warnings=(*warnings, *external_warnings, *told.warnings, *folder_warnings, *limit_warnings),
        storage=told.storage,
        disk=disk,
        folder=folder,
        cache_limit=limit,
        external=with_sizes(external, told.storage),
        services=services,
    )
    return inventory, told.remembered


def _disk_in_time(engine: Engine, listed: Listed, seconds: float) -> Disk | None:
    try:
        return Beside(lambda: disk_of(engine, listed)).result(seconds + GRACE_SECONDS)
    except TimeoutError:
        return None


def _folder_in_time(walk: Beside[FolderTold], seconds: float) -> FolderTold:
    try:
        return walk.result(seconds + GRACE_SECONDS)
    except TimeoutError:
        return not_in_time(seconds)


def _services(
    role: SwarmRole, call: Beside[tuple[Service, ...]] | None, warnings: list[ScanWarning]
) -> tuple[Service, ...] | None:
    """Return the services of the swarm; None, with a warning, where they cannot be seen, whatever the reason."""
    if call is None and role == "none":
        return ()
    why = "this node is a worker of a swarm"
    if role == "unknown":
        why = "this node is part of a swarm, but locked or not working"
    if call is not None:
        try:
            return call.result()
        except EngineError as error:
            why = str(error)
    kept = "named volumes, overlay networks and images that cannot be pulled again"
    text = f"not seen: {why}; {kept} are kept unless protect.unseen_services = false"
    warnings.append(ScanWarning(about="services of the swarm", text=text))
    return None


def _start_walks(reads: EngineReads, sizes: bool, timeout_seconds: float) -> dict[UsagePart | None, Beside[DiskUsage]]:
    if not sizes:
        return {}
    parts: tuple[UsagePart | None, ...] = tuple(SIZES_OF) if reads.tells_usage_in_parts else (None,)
    return {part: _walk_beside(reads, part, timeout_seconds) for part in parts}


def _walk_beside(reads: EngineReads, part: UsagePart | None, timeout_seconds: float) -> Beside[DiskUsage]:
    return Beside(lambda: reads.disk_usage(part, timeout_seconds))


def _start_build_cache(reads: EngineReads, timeout_seconds: float) -> Beside[DiskUsage] | None:
    """BuildKit measures a record when it is first asked for, so this call has the time-out of the walks."""
    if not (reads.has_build_cache and reads.tells_usage_in_parts):
        return None
    return _walk_beside(reads, "build-cache", timeout_seconds)


def _finish_walks(walks: dict[UsagePart | None, Beside[DiskUsage]], warnings: list[ScanWarning]) -> DiskUsage:
    usage = DiskUsage()
    for part, walk in walks.items():
        try:
            told = walk.result()
        except EngineError as error:
            about = SIZES_OF[part] if part else ALL_SIZES
            warnings.append(ScanWarning(about=about, text=f"unknown: {error}"))
            continue
        fields = {name: value for name, value in vars(told).items() if value is not None}
        usage = dataclasses.replace(usage, **fields)
    return usage


def _build_cache(
    reads: EngineReads, call: Beside[DiskUsage] | None, usage: DiskUsage, warnings: list[ScanWarning]
) -> tuple[BuildCacheRecord, ...] | None:
    if not reads.has_build_cache:
        return ()
    records = usage.build_cache if call is None else call.result().build_cache
    if records is None:
        text = "not read: this engine tells it only together with all sizes, and those were not asked for or not told"
        warnings.append(ScanWarning(about="build cache", text=text))
    return records


def _read_stopped(
    reads: EngineReads, listed: tuple[Container, ...], seconds: float, warnings: list[ScanWarning], progress: Progress
) -> Iterable[Container]:
    """Inspect the stopped ones: no list call of any version tells when they finished or whether they restart."""
    details = _inspect(reads, [seen for seen in listed if seen.state in STOPPED_STATES], progress)
    logs = _log_sizes(details, reads.engine, seconds)
    for container in listed:
        told = details.get(container.id)
        if container.id not in details:
            yield container
        elif isinstance(told, EngineError):
            warnings.append(ScanWarning(about=f"container {container.name}", text=f"not read in full: {told}"))
            yield msgspec.structs.replace(container, unread=str(told))
        else:
            yield _merged(container, told, logs)


def _read_running(
    reads: EngineReads,
    containers: tuple[Container, ...],
    seconds: float,
    warnings: list[ScanWarning],
    progress: Progress,
) -> Iterable[Container]:
    """Inspect those that are not stopped, for what only a report tells; nothing is judged by it."""
    running = [seen for seen in containers if seen.state not in STOPPED_STATES]
    details = _inspect(reads, running, progress)
    logs = _log_sizes(details, reads.engine, seconds)
    unread = []
    for container in containers:
        told = details.get(container.id)
        if isinstance(told, Container):
            container = _with_log(container, told, logs)
        if container.log_bytes is None:
            unread.append(container.name)
        yield container
    if unread:
        more = f" and {len(unread) - 1} more" if len(unread) > 1 else ""
        text = f"of unknown size, because they cannot be read from here: those of {unread[0]}{more}"
        warnings.append(ScanWarning(about="container logs", text=text))


def _with_log(listed: Container, details: Container, logs: LogSizes) -> Container:
    return msgspec.structs.replace(
        listed,
        started_at=details.started_at,
        restart_policy=details.restart_policy,
        exit_code=details.exit_code,
        restart_count=details.restart_count,
        retries_left=details.retries_left,
        log_driver=details.log_driver,
        log_path=details.log_path,
        log_is_limited=details.log_is_limited,
        log_bytes=logs.get(details.id),
    )


def _log_sizes(details: Mapping[str, Container | EngineError | None], engine: Engine, seconds: float) -> LogSizes:
    """Return the sizes of logs by the ids of containers; none where the disk that they lie on does not answer."""
    seen = [one for one in details.values() if isinstance(one, Container)]
    try:
        return Beside(lambda: {one.id: _log_bytes(one, engine) for one in seen}).result(seconds + GRACE_SECONDS)
    except TimeoutError:
        return {}


def _log_bytes(details: Container, engine: Engine) -> int | None:
    path = details.log_path or hidden_log_path(details.log_driver, details.id, engine.root_dir)
    return log_bytes(details.log_driver, path, engine.endpoint.startswith("unix:"))


def _inspect(
    reads: EngineReads, wanted: list[Container], progress: Progress
) -> dict[str, Container | EngineError | None]:
    def ask(container_id: str) -> Container | EngineError | None:
        try:
            return reads.container(container_id)
        except EngineError as error:
            return error

    return ask_for_all([container.id for container in wanted], ask, progress)


def _merged(listed: Container, details: Container | None, logs: LogSizes) -> Container:
    if details is None:
        # It may be gone for good or coming back under another id; until the next scan it keeps what it held.
        return msgspec.structs.replace(listed, unread="it disappeared while it was being read")
    networks = tuple(sorted({*listed.networks, *details.networks}))
    mounts = details.mounts + tuple(mount for mount in listed.mounts if mount not in details.mounts)
    never_ran = details.started_at is None and details.finished_at is None
    return msgspec.structs.replace(
        details,
        networks=networks,
        mounts=mounts,
        image_id=listed.image_id or details.image_id,
        log_bytes=0 if never_ran else logs.get(details.id),
    )


Sized = TypeVar("Sized", Container, Volume)


def _with_size(seen: Sized, sizes: dict[str, int | None] | None, key: str) -> Sized:
    size = None if sizes is None else sizes.get(key)
    return seen if size is None else msgspec.structs.replace(seen, size_bytes=size)


def _with_shared(image: Image, shared: dict[str, int | None] | None) -> Image:
    if shared is None or image.shared_bytes is not None:
        return image
    return msgspec.structs.replace(image, shared_bytes=shared.get(image.id))


def _with_registry(image: Image, in_registry: Mapping[str, bool]) -> Image:
    told = in_registry.get(image.id)
    return image if told is None else msgspec.structs.replace(image, in_registry=told)
