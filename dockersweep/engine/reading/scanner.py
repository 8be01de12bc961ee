"""Reads an inventory: a constant number of list calls, and one inspect for each stopped container without a record in
the engine's files; for a report for each other container too.

Walks of the engine's disk (sizes of volumes and writable layers) run in parallel, have a separate time-out and may
fail: then sizes are unknown. If a list call fails, the scan fails, because nothing may be judged from an incomplete
inventory.
"""

from collections.abc import Mapping, Set
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from dockersweep.engine.api.answers import DiskUsage, ListedAt, ListedContainer, UsagePart
from dockersweep.engine.api.concurrent import BackgroundCall, Progress
from dockersweep.engine.api.lists import MADE_TO_READ, is_for_archiving
from dockersweep.engine.api.swarm import SwarmRole
from dockersweep.engine.api.translate import container_from_podman
from dockersweep.engine.api.wire import WirePodmanContainer
from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.engine.disk.stores import Stores
from dockersweep.engine.reading.containers import read_running, read_stopped
from dockersweep.engine.reading.disk_usage import (
    all_parts,
    finish_walks,
    first_parts,
    merged_usage,
    parts_left,
    read_build_cache,
    start_build_cache,
    start_walks,
    with_shared_size,
    with_size,
)
from dockersweep.engine.reading.engine_reads import EngineReads
from dockersweep.engine.reading.other_tools import PodmanLists, read_podman_lists, with_sizes
from dockersweep.engine.reading.own_container import own_container_id
from dockersweep.engine.reading.own_folders import (
    StoresOrWhy,
    disks_in_time,
    folder_with_leaks,
    has_local_folder,
    measured_in_time,
    podman_containers_in_time,
    recorded_in_time,
    run_root_once,
    stores_in_time,
)
from dockersweep.engine.reading.storage import Remembered, StorageReading, read_storage
from dockersweep.errors import EngineError
from dockersweep.model.disk import Disk
from dockersweep.model.engine_folder import CacheLimit
from dockersweep.model.inventory import (
    STOPPED_STATES,
    Container,
    Engine,
    Image,
    Inventory,
    Network,
    ScanWarning,
    Service,
    Volume,
)

if TYPE_CHECKING:
    from dockersweep.engine.disk.ahead import Ahead
    from dockersweep.engine.disk.container_records import Records
    from dockersweep.engine.disk.leaks import RunRoot


class _Lists(msgspec.Struct, frozen=True):
    """The objects that the engine lists."""

    containers: tuple[ListedContainer, ...]
    listed_at: ListedAt
    images: tuple[Image, ...]
    volumes: tuple[Volume, ...]
    networks: tuple[Network, ...]
    podman: PodmanLists
    """If this has Podman's own containers, `containers` are those, without their mounts and networks."""
    services: BackgroundCall[tuple[Service, ...]] | None
    records: "Records | None" = None
    """The records of these containers, if they had to be read for the list."""

    @property
    def objects(self) -> ListedObjects:
        """The objects that the engine's folder must contain."""
        return ListedObjects(tuple(entry.container for entry in self.containers), self.images, self.volumes, None)


def scan(
    reads: EngineReads,
    sizes: bool = True,
    seconds: float = 900,
    progress: Progress = lambda done, total: None,
    known: Remembered | None = None,
    for_report: bool = False,
    ahead: "Ahead | None" = None,
) -> tuple[Inventory, Remembered]:
    """Return the inventory, and what of it never changes, to be passed as `known` to the next scan.

    Raises EngineError when a list call fails. With `sizes` the engine's disk is walked, for at most `seconds`. With
    `for_report` also logs and restarts of running containers, the engine's folder, and the limit of its build cache are
    read. `ahead`, from `reading_ahead`, has already begun to read the disk.
    """
    warnings: list[ScanWarning] = []
    quirks = reads.quirks
    walks = start_walks(reads, first_parts(quirks, has_local_folder(reads.engine)) if sizes else (), seconds)
    cache_call = start_build_cache(reads, seconds)
    run_root = run_root_once(reads)
    lists = _read_lists(reads, run_root, warnings)
    stores = stores_in_time(reads.engine, lists.objects, seconds)
    if lists.podman.own is not None:
        lists, stores = _with_held_objects(reads, stores, lists, lists.podman.own, seconds)
    if sizes and isinstance(stores, str):
        walks |= start_walks(reads, set(all_parts(quirks)) - walks.keys(), seconds)
    containers = _with_details(reads, stores, lists, for_report, seconds, warnings, progress)
    services = _services(reads.swarm_role, lists.services, warnings)
    usage = finish_walks(walks, warnings)
    build_cache = read_build_cache(reads, cache_call, usage, warnings)
    images = tuple(with_shared_size(image, usage.shared_bytes) for image in lists.images)
    listed = ListedObjects(containers, images, lists.volumes, build_cache)
    stored = read_storage(reads, stores, listed, known or {}, seconds if sizes else None, progress, ahead)
    if sizes and not isinstance(stores, str):
        usage = merged_usage(_measured(reads, run_root, stores, stored, walks.keys(), seconds, warnings), usage)
    disks, on_none = disks_in_time(stores, seconds)
    disk = disks[0] if disks else None
    folder, folder_warnings = (
        folder_with_leaks(stores, stored.storage, stored.measured, run_root, seconds)
        if for_report and sizes
        else (None, ())
    )
    containers, images = _without_made_to_read(containers, images, warnings)
    own_container = own_container_id()
    # A container has the engine's settings not even where its folder is mounted.
    reads_limit = for_report and own_container is None
    limit, limit_warnings = _cache_limit(reads.engine, disk) if reads_limit else (None, ())
    inventory = Inventory(
        schema="dockersweep.inventory/1",
        engine=reads.engine,
        taken_at=(taken_at := reads.clock or datetime.now(UTC)),
        own_container_id=own_container,
        containers=tuple(with_size(container, usage.writable_bytes, container.id) for container in containers),
        images=tuple(_with_registry(image, stored.in_registry) for image in images),
        volumes=tuple(
            with_size(_with_written(volume, stored.written, taken_at), usage.volume_bytes, volume.name)
            for volume in lists.volumes
        ),
        networks=lists.networks,
        build_cache=build_cache,
        layers_bytes=usage.layers_bytes,
        warnings=(*warnings, *stored.warnings, *folder_warnings, *limit_warnings),
        storage=stored.storage,
        disk=disk,
        other_disks=disks[1:],
        on_no_known_disk=on_none,
        folder=folder,
        cache_limit=limit,
        external=with_sizes(lists.podman.external, stored.storage),
        services=services,
    )
    return inventory, stored.remembered


def _without_made_to_read(
    containers: tuple[Container, ...], images: tuple[Image, ...], warnings: list[ScanWarning]
) -> tuple[tuple[Container, ...], tuple[Image, ...]]:
    """Leave out what a sweep has created only to read volumes: it is nobody's, and holds nothing. With a warning, as
    a killed sweep leaves it."""
    made = [container.name for container in containers if is_for_archiving(container.labels)]
    made += [image.tags[0] if image.tags else image.id for image in images if is_for_archiving(image.labels)]
    if not made:
        return containers, images
    text = (
        f"not shown: {', '.join(made)}, which a sweep has made to read volumes; unless it is still at work, the next "
        "sweep removes that"
    )
    warnings.append(ScanWarning(about=MADE_TO_READ, text=text))
    return (
        tuple(container for container in containers if not is_for_archiving(container.labels)),
        tuple(image for image in images if not is_for_archiving(image.labels)),
    )


def _measured(
    reads: EngineReads,
    run_root: "RunRoot",
    stores: Stores,
    stored: StorageReading,
    asked: Set[UsagePart | None],
    seconds: float,
    warnings: list[ScanWarning],
) -> DiskUsage:
    """Return the sizes that were measured on the engine's disk and, if some are missing, the engine's own; the parts in
    `asked` were requested before."""
    measured = measured_in_time(reads, run_root, stores, stored.storage, stored.lengths, seconds)
    left = set(parts_left(reads.quirks, stores, measured)) - asked
    return merged_usage(measured, finish_walks(start_walks(reads, left, seconds), warnings))


def _read_lists(reads: EngineReads, run_root: "RunRoot", warnings: list[ScanWarning]) -> _Lists:
    images_call, volumes_call = BackgroundCall(reads.images), BackgroundCall(reads.volumes)
    networks_call = BackgroundCall(reads.networks)
    has_own_list = (
        reads.quirks.is_podman and reads.quirks.lists_network_mode is not None and has_local_folder(reads.engine)
    )
    podman_call = None if has_own_list else BackgroundCall(lambda: read_podman_lists(reads, run_root))
    images, (volumes, plugin_warnings), networks = images_call.result(), volumes_call.result(), networks_call.result()
    # Containers and services come last: a new one then still shows which of the above it uses.
    services_call = BackgroundCall(reads.services) if reads.swarm_role == "manager" else None
    if podman_call is None:
        containers, listed_at, podman = _list_by_podman(reads, run_root)
    else:
        containers, listed_at = _list_containers(reads)
        podman = podman_call.result()._replace(own=None)
    warnings += [ScanWarning(about="volumes", text=text) for text in plugin_warnings]
    warnings += podman.warnings
    return _Lists(containers, listed_at, images, volumes, networks, podman, services_call)


def _list_by_podman(
    reads: EngineReads, run_root: "RunRoot"
) -> tuple[tuple[ListedContainer, ...], ListedAt, PodmanLists]:
    """Return the containers of Podman's own list or, if a proxy refuses it, of the docker API's."""
    begun = reads.listing_since()
    podman = read_podman_lists(reads, run_root)
    at = ListedAt(begun, datetime.now(UTC))
    if podman.own is None:
        return (*_list_containers(reads), podman)
    return tuple(ListedContainer(container_from_podman(container), None) for container in podman.own), at, podman


def _list_containers(reads: EngineReads) -> tuple[tuple[ListedContainer, ...], ListedAt]:
    begun = reads.listing_since()
    containers = reads.listed_containers()
    return containers, ListedAt(begun, datetime.now(UTC))


def _with_held_objects(
    reads: EngineReads, stores: StoresOrWhy, lists: _Lists, own: tuple[WirePodmanContainer, ...], seconds: float
) -> tuple[_Lists, StoresOrWhy]:
    """Return the lists with the mounts and networks of the containers in Podman's own list: from its database or, if
    that is not certain, from the docker API's list."""
    held = podman_containers_in_time(reads, stores, own, lists.networks, lists.listed_at, seconds)
    if held is not None:
        lists = msgspec.structs.replace(lists, containers=held[0], records=held[1])
    else:
        containers, listed_at = _list_containers(reads)
        lists = msgspec.structs.replace(lists, containers=containers, listed_at=listed_at)
    return lists, stores if isinstance(stores, str) else msgspec.structs.replace(stores, listed=lists.objects)


def _with_details(
    reads: EngineReads,
    stores: StoresOrWhy,
    lists: _Lists,
    for_report: bool,
    seconds: float,
    warnings: list[ScanWarning],
    progress: Progress,
) -> tuple[Container, ...]:
    """Return the containers; the stopped ones, and for a report all, with the details that the list does not have."""
    wanted = [entry for entry in lists.containers if for_report or entry.container.state in STOPPED_STATES]
    recorded = recorded_in_time(stores, wanted, lists.listed_at, lists.records, seconds)
    listed = tuple(entry.container for entry in lists.containers)
    containers = tuple(read_stopped(reads, listed, recorded, seconds, warnings, progress))
    return tuple(read_running(reads, containers, recorded, seconds, warnings, progress)) if for_report else containers


def _cache_limit(engine: Engine, disk: Disk | None) -> tuple[CacheLimit | None, tuple[ScanWarning, ...]]:
    # Imported late: only a report needs it.
    from dockersweep.engine.reading.cache_limit import read_cache_limit

    return read_cache_limit(engine, disk)


def _services(
    role: SwarmRole, call: BackgroundCall[tuple[Service, ...]] | None, warnings: list[ScanWarning]
) -> tuple[Service, ...] | None:
    """Return the services of the swarm; None, with a warning, if they cannot be read for any reason."""
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
    """Return the volume with the time of its last change, at most the time of the scan."""
    at = written.get(volume.name)
    return volume if at is None else msgspec.structs.replace(volume, written_at=min(at, taken_at))
