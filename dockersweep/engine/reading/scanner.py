"""Reads an inventory: a constant number of list calls, and one inspect per stopped container; for a report one for
each other container too.

What walks the engine's disk (sizes of volumes and writable layers) runs beside the rest, has a time-out of its own and
may fail: then sizes are unknown. A list call that fails makes the scan fail, because nothing may be judged from half
a survey.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from dockersweep.engine.api.concurrent import BackgroundCall, Progress
from dockersweep.engine.api.swarm import SwarmRole
from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.engine.reading.containers import read_running, read_stopped
from dockersweep.engine.reading.disk_usage import (
    finish_walks,
    read_build_cache,
    start_build_cache,
    start_walks,
    with_shared_size,
    with_size,
)
from dockersweep.engine.reading.engine_reads import EngineReads
from dockersweep.engine.reading.other_tools import External, read_external, with_sizes
from dockersweep.engine.reading.own_container import own_container_id
from dockersweep.engine.reading.own_folders import disks_in_time, folder_with_leaks, stores_in_time
from dockersweep.engine.reading.storage import Remembered, read_storage
from dockersweep.errors import EngineError
from dockersweep.model.disk import Disk
from dockersweep.model.engine_folder import CacheLimit
from dockersweep.model.inventory import (
    BuildCacheRecord,
    Container,
    Engine,
    Image,
    Inventory,
    Network,
    ScanWarning,
    Service,
    Volume,
)


class _Lists(msgspec.Struct, frozen=True):
    """What the engine itself lists."""

    containers: tuple[Container, ...]
    images: tuple[Image, ...]
    volumes: tuple[Volume, ...]
    networks: tuple[Network, ...]
    build_cache: tuple[BuildCacheRecord, ...] | None
    external: External | None
    services: tuple[Service, ...] | None
    layers_bytes: int | None
    warnings: tuple[ScanWarning, ...]

    @property
    def objects(self) -> ListedObjects:
        """What the engine's folder must have in it."""
        return ListedObjects(self.containers, self.images, self.volumes, self.build_cache)


def scan(
    reads: EngineReads,
    sizes: bool = True,
    seconds: float = 900,
    progress: Progress = lambda done, total: None,
    known: Remembered | None = None,
    for_report: bool = False,
) -> tuple[Inventory, Remembered]:
    """Return what the engine holds, and what of it never changes, to be given as `known` to the next scan.

    Raises EngineError when a list call fails. `sizes` walks the engine's disk, for so many `seconds`; `for_report` also
    reads logs and restarts of running containers, the engine's folder, and the limit of its build cache.
    """
    lists = _read_lists(reads, sizes, seconds, progress, for_report)
    listed = lists.objects
    stores = stores_in_time(reads.engine, listed, seconds)
    stored = read_storage(reads, stores, listed, known or {}, seconds if sizes else None, progress)
    disks, on_none = disks_in_time(stores, seconds)
    disk = disks[0] if disks else None
    folder, folder_warnings = (
        folder_with_leaks(stores, stored.storage, stored.measured, reads.run_root, seconds)
        if for_report and sizes
        else (None, ())
    )
    limit, limit_warnings = _cache_limit(reads.engine, disk) if for_report else (None, ())
    inventory = Inventory(
        schema="dockersweep.inventory/1",
        engine=reads.engine,
        taken_at=(taken_at := reads.clock or datetime.now(UTC)),
        own_container_id=own_container_id(),
        containers=lists.containers,
        images=tuple(_with_registry(image, stored.in_registry) for image in lists.images),
        volumes=tuple(_with_written(volume, stored.written, taken_at) for volume in lists.volumes),
        networks=lists.networks,
        build_cache=lists.build_cache,
        layers_bytes=lists.layers_bytes,
        warnings=(*lists.warnings, *stored.warnings, *folder_warnings, *limit_warnings),
        storage=stored.storage,
        disk=disk,
        other_disks=disks[1:],
        on_no_known_disk=on_none,
        folder=folder,
        cache_limit=limit,
        external=with_sizes(lists.external, stored.storage),
        services=lists.services,
    )
    return inventory, stored.remembered


def _read_lists(reads: EngineReads, sizes: bool, seconds: float, progress: Progress, for_report: bool) -> _Lists:
    walks = start_walks(reads, sizes, seconds)
    cache_call = start_build_cache(reads, seconds)
    images_call, volumes_call = BackgroundCall(reads.images), BackgroundCall(reads.volumes)
    networks_call = BackgroundCall(reads.networks)
    external_call = BackgroundCall(lambda: read_external(reads))
    images, (volumes, plugin_warnings), networks = images_call.result(), volumes_call.result(), networks_call.result()
    # Containers and services come last: one that was created meanwhile still shows what it holds of the above.
    services_call = BackgroundCall(reads.services) if reads.swarm_role == "manager" else None
    listed = reads.containers()
    external, external_warnings = external_call.result()
    warnings = [ScanWarning(about="volumes", text=text) for text in plugin_warnings]
    containers = tuple(read_stopped(reads, listed, seconds, warnings, progress))
    services = _services(reads.swarm_role, services_call, warnings)
    if for_report:
        containers = tuple(read_running(reads, containers, seconds, warnings, progress))
    usage = finish_walks(walks, warnings)
    build_cache = read_build_cache(reads, cache_call, usage, warnings)
    return _Lists(
        containers=tuple(with_size(one, usage.writable_bytes, one.id) for one in containers),
        images=tuple(with_shared_size(image, usage.shared_bytes) for image in images),
        volumes=tuple(with_size(volume, usage.volume_bytes, volume.name) for volume in volumes),
        networks=networks,
        build_cache=build_cache,
        external=external,
        services=services,
        layers_bytes=usage.layers_bytes,
        warnings=(*warnings, *external_warnings),
    )


def _cache_limit(engine: Engine, disk: Disk | None) -> tuple[CacheLimit | None, tuple[ScanWarning, ...]]:
    # Only a report asks for it.
    from dockersweep.engine.reading.cache_limit import read_cache_limit

    return read_cache_limit(engine, disk)


def _services(
    role: SwarmRole, call: BackgroundCall[tuple[Service, ...]] | None, warnings: list[ScanWarning]
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
    warnings.append(ScanWarning(about="services of the swarm", text=text, reason=why))
    return None


def _with_registry(image: Image, in_registry: Mapping[str, bool]) -> Image:
    known = in_registry.get(image.id)
    return image if known is None else msgspec.structs.replace(image, in_registry=known)


def _with_written(volume: Volume, written: Mapping[str, datetime], taken_at: datetime) -> Volume:
    """What is written while the scan goes on counts as written when it began."""
    at = written.get(volume.name)
    return volume if at is None else msgspec.structs.replace(volume, written_at=min(at, taken_at))
