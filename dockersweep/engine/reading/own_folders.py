"""What is read of an engine's own folders, each within its time: a disk that is gone may let us wait for ever."""

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
"""Where an engine keeps its things; where that cannot be told from here, why."""


def stores_in_time(engine: Engine, listed: ListedObjects, seconds: float) -> StoresOrWhy:
    """Find out where the engine that listed these objects keeps its things; it is done once for a scan."""
    try:
        return call_within(seconds, lambda: find_stores(engine, listed))
    except TimeoutError:
        return f"{engine.root_dir} was not read within {seconds:g} seconds"
    except UnreadableStorageError as error:
        return str(error)


def is_beside(engine: Engine) -> bool:
    """Return whether the engine seems to keep its things on this machine: there is such a folder here."""
    try:
        call_within(0, lambda: folder_of(engine))
    except (UnreadableStorageError, OSError, TimeoutError):
        return False
    return True


@contextmanager
def reading_ahead(engine: Engine, known: Collection[str], seconds: float) -> Iterator["Ahead | None"]:
    """Read an engine's folder in processes of their own, which end here at the latest; None where there is no such
    folder on this machine, or too little in it, or it would not be safe. `known` are the ids of what an earlier scan
    remembered.

    It is to be called before any thread is begun.
    """
    if not is_beside(engine):
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
    """Return what the engine's files tell of containers, by id; what is known of these is not read again."""
    if isinstance(stores, str):
        return {}
    # From afar there are no such files.
    from dockersweep.engine.reading.recorded_containers import read_recorded

    try:
        return call_within(seconds, lambda: read_recorded(stores, wanted, at, known))
    except TimeoutError:
        return {}


def run_root_once(reads: EngineReads) -> "RunRoot":
    """Return what tells the folder of what Podman keeps until the next boot, as its database does; where that is not
    beside us, Podman is asked, which looks at each of its containers for it. It is read when it is first asked for."""

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
    """Return the containers of Podman's own list with what they hold, and their records; None where that cannot be
    told from here."""
    if isinstance(stores, str) or (tells_mode := reads.quirks.lists_network_mode) is None:
        return None
    # Docker has no such list.
    from dockersweep.engine.reading.podman_containers import UncertainError, podman_containers

    try:
        return call_within(
            seconds, lambda: podman_containers(stores, listed, networks, tells_mode, at.latest.timestamp())
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
    """Return the sizes that are known from lengths of parts of the storage."""
    from dockersweep.engine.reading.measured_sizes import measured_sizes

    try:
        runs_in = run_root() if reads.quirks.is_podman else None
        return call_within(seconds, lambda: measured_sizes(reads.quirks, stores, storage, lengths, runs_in, seconds))
    except (EngineError, TimeoutError):
        return DiskUsage()


def disks_in_time(stores: StoresOrWhy, seconds: float) -> DisksReading:
    """Return the disks that an engine lies on; none where they cannot be told."""
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
    """Return what an engine's folders take, of which this has been measured, and what in them nobody owns."""
    leaks = leaks_in_time(stores, storage, run_root, seconds)
    folder, warnings = folder_in_time(stores, (*measured, *leaks.measured), seconds)
    return folder and replace(folder, leaks=leaks.leaks), (*warnings, *leaks.warnings)


def folder_in_time(stores: StoresOrWhy, measured: tuple[MeasuredPlaces, ...], seconds: float) -> "FolderReading":
    """Return what an engine's folders take, of which this has been measured."""
    # Only a report asks for it, and for what nobody owns.
    from dockersweep.engine.disk.folder import folder_not_read, not_in_time, read_folder

    if isinstance(stores, str):
        return folder_not_read(stores)
    try:
        return call_within(seconds, lambda: read_folder(stores, seconds, measured))
    except TimeoutError:
        return not_in_time(seconds)


def leaks_in_time(stores: StoresOrWhy, storage: Storage, run_root: "RunRoot", seconds: float) -> "LeakReading":
    """Return what nobody owns in an engine's folders."""
    from dockersweep.engine.disk.leaks import LeakReading, leaks_not_in_time, read_leaks

    if isinstance(stores, str):
        return LeakReading()
    try:
        return call_within(seconds, lambda: read_leaks(stores, storage, run_root, seconds))
    except TimeoutError:
        return leaks_not_in_time(seconds)
