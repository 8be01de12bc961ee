"""Reads of an engine's folders, each with a time limit: a missing disk may never answer."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from typing import TYPE_CHECKING

from msgspec.structs import replace

from dockersweep.engine.api.answers import DiskUsage, ListedAt, ListedContainer
from dockersweep.engine.api.concurrent import call_within
from dockersweep.engine.api.wire import WirePodmanContainer
from dockersweep.engine.disk.disks import NO_DISKS, DisksReading, read_disks
from dockersweep.engine.disk.ownership import ListedObjects, folder_of
from dockersweep.engine.disk.parts import UnreadableStorageError
from dockersweep.engine.disk.stores import Stores, find_stores
from dockersweep.engine.disk.walk import MeasuredPlaces
from dockersweep.engine.reading.engine_reads import EngineReads
from dockersweep.errors import EngineError
from dockersweep.model.inventory import Container, Engine, Network
from dockersweep.model.storage import Storage

if TYPE_CHECKING:
    from dockersweep.engine.disk.ahead import Ahead
    from dockersweep.engine.disk.container_records import Records
    from dockersweep.engine.disk.folder import FolderReading
    from dockersweep.engine.disk.leaks import LeakReading, RunRoot

StoresOrWhy = Stores | str
"""The engine's folders, or the reason why they cannot be read from here."""


def stores_in_time(engine: Engine, listed: ListedObjects, seconds: float) -> StoresOrWhy:
    """Find the folders of the engine that listed these objects; done once per scan."""
    try:
        return call_within(seconds, lambda: find_stores(engine, listed))
    except TimeoutError:
        return f"{engine.root_dir} was not read within {seconds:g} seconds"
    except UnreadableStorageError as error:
        return str(error)


def has_local_folder(engine: Engine) -> bool:
    """Return whether the engine's folder seems to be on this machine: a folder of that path exists here."""
    try:
        call_within(0, lambda: folder_of(engine))
    except (UnreadableStorageError, OSError, TimeoutError):
        return False
    return True


@contextmanager
def reading_ahead(engine: Engine, known: Collection[str], seconds: float) -> Iterator["Ahead | None"]:
    """Read an engine's folder in separate processes, which end with the context at the latest; None if there is no such
    folder on this machine, if there is too little in it, or if it would not be safe. `known` are the ids of what an
    earlier scan remembered.

    Must be called before any thread is started.
    """
    if not has_local_folder(engine):
        yield None
        return
    from dockersweep.engine.disk.ahead import Ahead, is_worth_it
    from dockersweep.engine.disk.own_process import may_begin

    ahead = None
    with suppress(OSError, TimeoutError):
        ahead = Ahead(engine, known, seconds) if may_begin() and call_within(0, lambda: is_worth_it(engine)) else None
    with ahead or nullcontext():
        yield ahead


def recorded_in_time(
    stores: StoresOrWhy, wanted: Collection[ListedContainer], at: ListedAt, known: "Records | None", seconds: float
) -> Mapping[str, Container]:
    """Return details of containers from the engine's files, by id; `known` records are not read again."""
    if isinstance(stores, str):
        return {}
    # Imported late: remote engines have no such files.
    from dockersweep.engine.reading.recorded_containers import read_recorded

    try:
        return call_within(seconds, lambda: read_recorded(stores, wanted, at, known))
    except TimeoutError:
        return {}


def run_root_once(reads: EngineReads) -> "RunRoot":
    """Return a function that returns Podman's folder for data until the next boot, read on its first call. It is in
    Podman's database; if that is not on this machine, Podman is asked, which inspects each container for it."""

    @cache
    def read() -> str | None:
        # Docker has no such database.
        from dockersweep.engine.disk.podman_database import read_run_root

        try:
            return str(call_within(0, lambda: read_run_root(folder_of(reads.engine))))
        except (UnreadableStorageError, OSError, TimeoutError):
            return reads.run_root()

    return read


def podman_containers_in_time(
    reads: EngineReads,
    stores: StoresOrWhy,
    listed: Collection[WirePodmanContainer],
    networks: Collection[Network],
    at: ListedAt,
    seconds: float,
) -> tuple[tuple[ListedContainer, ...], "Records"] | None:
    """Return the containers of Podman's own list with their mounts and networks, and their records; None if those
    cannot be determined from here."""
    if isinstance(stores, str) or (has_mode := reads.quirks.lists_network_mode) is None:
        return None
    # Docker has no such list.
    from dockersweep.engine.reading.podman_containers import UncertainError, podman_containers

    try:
        return call_within(
            seconds, lambda: podman_containers(stores, listed, networks, has_mode, at.latest.timestamp())
        )
    except (UncertainError, OSError, TimeoutError):
        return None


def measured_in_time(
    reads: EngineReads,
    run_root: "RunRoot",
    stores: Stores,
    storage: Storage,
    lengths: Mapping[str, int],
    seconds: float,
) -> DiskUsage:
    """Return the sizes that follow from the lengths of the storage's parts."""
    from dockersweep.engine.reading.measured_sizes import measured_sizes

    try:
        runs_in = run_root() if reads.quirks.is_podman else None
        return call_within(seconds, lambda: measured_sizes(reads.quirks, stores, storage, lengths, runs_in, seconds))
    except (EngineError, TimeoutError):
        return DiskUsage()


def disks_in_time(stores: StoresOrWhy, seconds: float) -> DisksReading:
    """Return the disks that an engine's folders are on; none if unknown."""
    try:
        return NO_DISKS if isinstance(stores, str) else call_within(seconds, lambda: read_disks(stores))
    except TimeoutError:
        return NO_DISKS


def folder_with_leaks(
    stores: StoresOrWhy,
    storage: Storage,
    measured: tuple[MeasuredPlaces, ...],
    run_root: "RunRoot",
    seconds: float,
) -> "FolderReading":
    """Return the size of an engine's folders, of which `measured` need not be walked again, and the leaks in them."""
    leaks = leaks_in_time(stores, storage, run_root, seconds)
    folder, warnings = folder_in_time(stores, (*measured, *leaks.measured), seconds)
    return folder and replace(folder, leaks=leaks.leaks), (*warnings, *leaks.warnings)


def folder_in_time(stores: StoresOrWhy, measured: tuple[MeasuredPlaces, ...], seconds: float) -> "FolderReading":
    """Return the size of an engine's folders, of which `measured` need not be walked again."""
    # Imported late, as leaks are: only a report needs it.
    from dockersweep.engine.disk.folder import folder_not_read, not_in_time, read_folder

    if isinstance(stores, str):
        return folder_not_read(stores)
    try:
        return call_within(seconds, lambda: read_folder(stores, seconds, measured))
    except TimeoutError:
        return not_in_time(seconds)


def leaks_in_time(stores: StoresOrWhy, storage: Storage, run_root: "RunRoot", seconds: float) -> "LeakReading":
    """Return the leaks in an engine's folders: what belongs to no object."""
    from dockersweep.engine.disk.leaks import LeakReading, leaks_not_in_time, read_leaks

    if isinstance(stores, str):
        return LeakReading()
    try:
        return call_within(seconds, lambda: read_leaks(stores, storage, run_root, seconds))
    except TimeoutError:
        return leaks_not_in_time(seconds)
