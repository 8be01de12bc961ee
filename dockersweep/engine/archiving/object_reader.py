"""Reads one object as a whole: where its files are, and how they come."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import msgspec

from dockersweep.engine.api.archive_calls import ADDED, ArchiveCalls, Change
from dockersweep.engine.archiving.container_log import json_lines
from dockersweep.engine.archiving.disk_layer import FOLDERS_OF_PODMAN, DiskLayer, SpreadLayerError
from dockersweep.engine.archiving.exported_layer import layer_of
from dockersweep.engine.archiving.tar_members import whole
from dockersweep.engine.archiving.volume_containers import LOST_BY_API, VolumeContainers
from dockersweep.engine.disk.bolt import BoltError
from dockersweep.engine.disk.stores import Stores, volume_folder
from dockersweep.engine.disk.upper_folders import UpperFolders
from dockersweep.errors import EngineError, NotArchivedError
from dockersweep.files import open_folder_inside, shows_trusted_attributes
from dockersweep.model.archive import ReadFrom
from dockersweep.model.inventory import Volume

FILES_ELSEWHERE = "its files, which stay where they are"
LOST_OF_LAYERS = ("ACLs", "extended attributes", "fractions of a second")
"""What Docker's export has not."""

_WRITING = ("extract-to-dir", "copy", "start", "restart")
"""What events of a container say that something may have been written: the first two are of `docker cp`."""


class VolumeReading(NamedTuple):
    """A volume that is being read."""

    document: bytes
    folder: str | None
    """The folder of its files on this machine; None where they come as a tar."""
    tar: Iterator[bytes] | None
    """None also where its files are elsewhere, and stay there."""
    not_kept: tuple[str, ...] = ()


class ContainerReading(NamedTuple):
    """A container that is being read."""

    document: bytes
    read_from: ReadFrom
    layer: Iterator[bytes] | None
    """The tar of an OCI layer; None where nothing was written."""
    log: Iterator[bytes] | None
    """Lines of JSON; None where the engine has no log."""
    not_kept: list[str]
    """Complete once both are read."""
    check_unchanged: Callable[[], None]
    """Raises NotArchivedError where it has changed since; to be called once both are read."""


class ObjectReader:
    """Reads the objects of one engine. Safe for several threads."""

    def __init__(
        self, calls: ArchiveCalls, containers: VolumeContainers, stores: Stores | None, root: str = ""
    ) -> None:
        """`stores` is where the engine has its data on this machine; None to read everything through its API. `root` is
        the engine's own folder."""
        self._calls = calls
        self._containers = containers
        self._stores = stores
        self._upper_folders = None if stores is None else UpperFolders(stores)
        is_copied = stores is not None and bool(root) and calls.quirks.copies_image_to_export
        self.export_folder = f"{root}/tmp" if is_copied else None
        """The folder to which the engine writes an image before it gives it. It is not there where the engine has
        another one; None where the engine writes none, or its folders cannot be seen."""

    @contextmanager
    def volume(self, volume: Volume) -> Iterator[VolumeReading]:
        """Yield a volume to read. Raises EngineError, NotArchivedError and OSError, also while it is read."""
        document = self._document(f"/volumes/{volume.name}")
        if volume.has_files_elsewhere:
            yield VolumeReading(document, None, None, (FILES_ELSEWHERE,))
            return
        folder = self._folder_of(volume)
        if folder is not None:
            yield VolumeReading(document, f"{folder}/_data", None)
            return
        with self._containers.files(volume.name) as pieces:
            yield VolumeReading(document, None, pieces, LOST_BY_API)

    @contextmanager
    def container(self, container_id: str) -> Iterator[ContainerReading]:
        """Yield a stopped container to read. Raises as `volume` does."""
        document = self._document(f"/containers/{container_id}/json")
        with ExitStack() as stack:
            layer = self._disk_layer(container_id, stack)
            not_kept = [] if layer is None else [*layer.not_kept]
            log = self._log(container_id, document, not_kept)
            if layer is not None:
                tar = layer.tar() if layer.entries else None
                yield ContainerReading(document, "disk", tar, log, not_kept, layer.check_unchanged)
                return
            since = self._calls.engine_now()
            changes = self._changes(container_id)
            not_kept += LOST_OF_LAYERS if changes else ()
            exported = self._exported_layer(container_id, changes) if changes else None

            def check_unchanged() -> None:
                # A file that was changed before may be changed again, which only the events tell.
                events = self._calls.events_since(since)
                is_written = any(event.id == container_id and event.action in _WRITING for event in events)
                if is_written or set(self._changes(container_id)) != set(changes):
                    raise NotArchivedError("it changed while it was read")

            yield ContainerReading(document, "api", exported, log, not_kept, check_unchanged)

    def image(self, image_id: str) -> Iterator[bytes]:
        """Yield the pieces of an image's tar; it is asked for with the first one. Raises as `volume` does."""
        with self._calls.image_tar(image_id) as pieces:
            yield from whole(pieces)

    def network(self, network_id: str) -> bytes:
        """Return the engine's document of a network. Raises as `volume` does."""
        return self._document(f"/networks/{network_id}")

    def _exported_layer(self, container_id: str, changes: Sequence[Change]) -> Iterator[bytes]:
        """Yield the tar of a layer; it is asked for with the first piece: an export counts as a use."""
        with self._calls.exported(container_id) as exported:
            yield from layer_of(changes, exported, lambda path: self._file(container_id, path))

    def _changes(self, container_id: str) -> tuple[Change, ...]:
        """Return what a container has changed, without the empty folders that Podman makes for its mounts."""
        changes = self._calls.changes(container_id)
        if not self._calls.quirks.is_podman:
            return changes
        paths = [change.path for change in changes]

        def is_of_podman(change: Change) -> bool:
            below = f"{change.path}/"
            is_one = change.kind == ADDED and f".{change.path}".encode() in FOLDERS_OF_PODMAN
            return is_one and not any(path.startswith(below) for path in paths)

        return tuple(change for change in changes if not is_of_podman(change))

    def _document(self, path: str) -> bytes:
        document = self._calls.document(path)
        if document is None:
            raise NotArchivedError("it is gone")
        return document

    def _folder_of(self, volume: Volume) -> str | None:
        """Return the folder of a volume whose files are below the engine's own folders on this machine."""
        folder = volume_folder(volume)
        if self._stores is None or folder is None or volume.options:
            return None
        return folder if any(folder.startswith(f"{place.path}/") for place in self._stores.places) else None

    def _disk_layer(self, container_id: str, stack: ExitStack) -> DiskLayer | None:
        """Return the writable layer off the disk; None where it cannot be read there."""
        quirks = self._calls.quirks
        if self._upper_folders is None or not (quirks.has_native_diff or quirks.has_containerd_store):
            return None
        try:
            if not shows_trusted_attributes():
                # By these overlay knows which folders hide what is below them.
                return None
            folder = self._upper_folders.of(container_id)
            if folder is None:
                return None
            changed = None
            if quirks.is_podman:
                changed = {
                    f".{change.path}".encode() for change in self._calls.changes(container_id) if not change.kind
                }
            return stack.enter_context(DiskLayer(stack.enter_context(open_folder_inside(folder)), changed))
        except (OSError, BoltError, ValueError, SpreadLayerError):
            return None

    def _log(self, container_id: str, document: bytes, not_kept: list[str]) -> Iterator[bytes] | None:
        """Return the lines of a log, asked for when the first is read. Drivers that cannot be read show only then."""
        details = _read(document)
        driver = details.host_config.log_config.type
        return None if driver == "none" else self._lines(container_id, details.config.tty, driver, not_kept)

    def _lines(self, container_id: str, has_terminal: bool, driver: str, not_kept: list[str]) -> Iterator[bytes]:
        with self._calls.log(container_id) as pieces:
            if pieces is None:
                not_kept.append(f"the log ({driver})" if driver else "the log")
            else:
                yield from json_lines(pieces, has_terminal)

    @contextmanager
    def _file(self, container_id: str, path: bytes) -> Iterator[Iterator[bytes]]:
        try:
            text = path.decode()
        except UnicodeDecodeError:
            raise NotArchivedError("a hard link in it has a name that the engine's API cannot be asked for") from None
        with self._calls.files_tar(container_id, f"/{text}") as pieces:
            yield pieces


class _Config(msgspec.Struct, frozen=True, rename="pascal"):
    tty: bool = False


class _LogConfig(msgspec.Struct, frozen=True, rename="pascal"):
    type: str = ""


class _HostConfig(msgspec.Struct, frozen=True, rename="pascal"):
    log_config: _LogConfig = _LogConfig()


class _Container(msgspec.Struct, frozen=True, rename="pascal"):
    config: _Config = _Config()
    host_config: _HostConfig = _HostConfig()


def _read(document: bytes) -> _Container:
    try:
        return msgspec.json.decode(document, type=_Container)
    except msgspec.DecodeError as error:
        raise EngineError(f"the engine's document of a container is not as expected: {error}") from None
