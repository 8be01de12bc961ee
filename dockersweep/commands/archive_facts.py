"""What a plan has to know of the archive: how objects can be read for it, where it is, and how much room it has."""

import os
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dockersweep.archive.folder import open_archive, problem_of, what_is_missing
from dockersweep.archive.retention import early_deletion
from dockersweep.archive.room import disk_space, min_free_bytes, nearest_folder
from dockersweep.commands.archive_folder import archive_folder
from dockersweep.engine.archiving.stores_to_read import stores_to_read
from dockersweep.engine.disk.mounts import file_system_of, mount_of, read_mounts
from dockersweep.errors import ArchiveError
from dockersweep.files import AnyPath, is_there, shows_trusted_attributes
from dockersweep.model.archive_facts import ArchiveFacts, KeptRun, Reading
from dockersweep.model.inventory import Engine, Inventory
from dockersweep.model.policy import ArchiveSettings
from dockersweep.policy.judging.survey import Survey

if TYPE_CHECKING:
    from dockersweep.ledger import Ledger

BY_API = Reading(read_from="api", text="without ACLs and xattrs")
WHOLE_BY_API = Reading(read_from="api")
FROM_DISK = Reading(read_from="disk")
WITHOUT_TRUSTED = Reading(read_from="disk", text="without trusted.* attributes")
PODMAN_FROM_AFAR = Reading(
    read_from=None, text="Podman's API does not tell who owns files: run dockersweep as root on its machine"
)
MOUNTED_BY_PODMAN = Reading(
    read_from=None, text="Podman mounts it for containers only, and its API does not tell who owns the files"
)
_UPPER_FOLDERS = ("overlay2", "overlay", "containerd")
"""The image stores that keep what a container has written in a folder of its own."""


def archiving_to(survey: Survey, settings: ArchiveSettings, ledger: "Ledger | None" = None) -> Survey:
    """Return a survey with what is known of the archive of a policy; the ledger tells what has to be in it."""
    runs: frozenset[str] = frozenset()
    if ledger is not None:
        folder = os.path.realpath(archive_folder(settings))
        runs = ledger.runs_in_archive(folder, survey.now)
    return survey.archiving_to(gather_archive_facts(survey.inventory, settings, runs))


def gather_archive_facts(
    inventory: Inventory, settings: ArchiveSettings, expected: Collection[str] = ()
) -> ArchiveFacts:
    """Return what is known of the archive of a policy; nothing is made or written. `expected` are the names of the runs
    that have to be in it."""
    engine = inventory.engine
    is_beside = stores_to_read(inventory) is not None
    is_podman = engine.flavour == "podman"
    by_api = PODMAN_FROM_AFAR if is_podman else BY_API
    folder = archive_folder(settings)
    disk = _engine_disk(folder, inventory)
    sees_all = is_beside and shows_trusted_attributes()
    from_disk = FROM_DISK if sees_all else WITHOUT_TRUSTED
    runs, over = _runs(folder, settings)
    missing = what_is_missing(folder, expected)
    return ArchiveFacts(
        volumes=from_disk if is_beside else by_api,
        mounted_volumes=MOUNTED_BY_PODMAN if is_podman else BY_API,
        containers=FROM_DISK if sees_all and engine.image_store in _UPPER_FOLDERS else BY_API,
        images=WHOLE_BY_API,
        networks=WHOLE_BY_API,
        folder=folder,
        problem=missing or problem_of(folder) or _in_own_container(folder, inventory) or _in_engine(folder, inventory),
        is_new=not _is_seen(folder),
        is_missing=missing is not None,
        is_in_memory=_is_in_memory(folder),
        on_engine_disk=_is_on_engine_disk(engine, inventory, disk),
        disk=disk,
        room_bytes=_room(folder, settings),
        runs=runs,
        over_bytes=over,
    )


def _in_own_container(folder: str, inventory: Inventory) -> str | None:
    """Return that an archive would go with the container that dockersweep runs in; None where it does not."""
    if inventory.own_container_id is None:
        return None
    mount = mount_of(os.path.realpath(folder), read_mounts())
    if mount is None or mount.point != "/":
        return None
    return f"{folder} goes with the container that dockersweep runs in: mount a volume there"


def _is_in_memory(folder: str) -> bool:
    mount = mount_of(os.path.realpath(folder), read_mounts())
    return mount is not None and mount.kind in ("tmpfs", "ramfs")


def _in_engine(folder: str, inventory: Inventory) -> str | None:
    """Return that an archive would lie among what the engine removes with a volume or a container; None where it does
    not."""
    if not inventory.engine.is_local:
        return None
    mounted = [volume.mountpoint for volume in inventory.volumes if volume.driver == "local" and volume.mountpoint]
    # As VOLUMES/NAME/_data, and VOLUMES may be a link to another disk.
    volumes = {os.path.dirname(os.path.dirname(place)) for place in mounted}
    for place in (inventory.engine.root_dir, *sorted(volumes)):
        if place and place != "/" and Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(place)):
            return f"{folder} is in the engine's own folder {place}, and could go with a volume: choose one elsewhere"
    return None


def is_on_engine_disk(folder: str, inventory: Inventory) -> bool | None:
    """Return whether an archive in this folder is on a disk of the engine; None where that is not known."""
    return _is_on_engine_disk(inventory.engine, inventory, _engine_disk(folder, inventory))


def _is_on_engine_disk(engine: Engine, inventory: Inventory, disk: str | None) -> bool | None:
    if disk is not None or not engine.is_local:
        return disk is not None
    # Of an engine on this machine whose disks cannot be seen, nothing tells.
    return False if inventory.disks and not inventory.on_no_known_disk else None


def _engine_disk(folder: str, inventory: Inventory) -> str | None:
    """Return the name of the engine's disk that an archive in this folder is on; None for none of those that are
    known."""
    if not inventory.engine.is_local:
        return None
    try:
        own = _file_system(nearest_folder(folder))
    except OSError:
        return None
    for disk in inventory.disks:
        if own is not None and own in map(_file_system, disk.places):
            return disk.name
    return None


def _file_system(path: AnyPath) -> object:
    """Return a key that is equal for all folders on one file system; None where it cannot be seen."""
    real = os.path.realpath(os.fspath(path))
    try:
        return file_system_of(os.stat(real).st_dev, mount_of(str(real), read_mounts()))
    except OSError:
        return None


def _is_seen(folder: str) -> bool:
    try:
        return is_there(folder)
    except OSError:
        return True


def _runs(folder: str, settings: ArchiveSettings) -> tuple[tuple[KeptRun, ...], int]:
    """Return the runs that may go from an archive when it is full, the oldest first, and by how much it is larger than
    it may be; none where nothing limits its size, or it cannot be read."""
    if settings.max_size is None or settings.max_size.size_bytes is None:
        return (), 0
    try:
        archive = open_archive(folder, make=False)
        runs, taken = archive.runs(), archive.taken_bytes()
    except ArchiveError:
        # Not there yet, or `problem_of` says why.
        return (), 0
    # What its time is over for is among them: it goes first.
    always = datetime.min.replace(tzinfo=UTC)
    kept = [KeptRun(run.size_bytes, one) for run in runs if (one := early_deletion(run, always)) is not None]
    return tuple(kept), taken - settings.max_size.size_bytes


def _room(folder: str, settings: ArchiveSettings) -> int | None:
    """Return how many bytes a run may put into the archive; None where that is not known. What is older makes room."""
    try:
        disk = disk_space(nearest_folder(folder))
    except OSError:
        return None
    left = max(0, disk.free_bytes - min_free_bytes(settings.min_free, disk.total_bytes))
    most = None if settings.max_size is None else settings.max_size.size_bytes
    return left if most is None else min(left, most)
