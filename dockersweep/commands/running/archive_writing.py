"""Writes objects of an engine into the folder of a run in the archive."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dockersweep.archive.folder import open_archive
from dockersweep.archive.retention import StoredRun
from dockersweep.engine.api.archive_calls import ArchiveCalls
from dockersweep.engine.archiving.object_reader import ObjectReader
from dockersweep.engine.archiving.stores_to_read import stores_to_read
from dockersweep.engine.archiving.volume_containers import VolumeContainers
from dockersweep.errors import ArchiveError, NotArchivedError
from dockersweep.files import what_is_wrong
from dockersweep.model.archive import ArchivedObject, Original
from dockersweep.model.inventory import Container, Image, Inventory, Network, Object, Volume
from dockersweep.model.naming import name_of, ref_of
from dockersweep.model.policy import ArchiveSettings

if TYPE_CHECKING:
    from dockersweep.engine.api.client import Client


class ArchiveWriting:
    """Reads objects off an engine, and writes them into a new folder of the archive. Safe for several threads."""

    def __init__(
        self,
        client: "Client",
        inventory: Inventory,
        run: int | None,
        folder: str,
        settings: ArchiveSettings,
        place: str,
        interrupt: Callable[[], None],
    ) -> None:
        """Open the archive in `folder`, and begin a run in it, with its number in the ledger. `place` tells where runs
        share the engine's lock with this one; `interrupt` is called now and then, and ends the writing of an object by
        what it raises. Raises ArchiveError."""
        archive = open_archive(folder)
        self._interrupt = interrupt
        self._writer = archive.begin(client.engine, run, datetime.now(UTC), settings, interrupt)
        self._containers = VolumeContainers(ArchiveCalls.sharing(client), place)
        self._reader = ObjectReader(
            ArchiveCalls.sharing(client), self._containers, stores_to_read(inventory), inventory.engine.root_dir or ""
        )
        self._min_free = settings.min_free
        self.folder = archive.path
        self._is_closed = False

    @property
    def name(self) -> str:
        """The name of the run's folder in the archive."""
        return self._writer.name

    @property
    def until(self) -> datetime:
        """Until when the run is kept."""
        return self._writer.until

    @property
    def objects(self) -> Sequence[ArchivedObject]:
        """What is archived so far."""
        return self._writer.objects

    @property
    def deleted(self) -> Sequence[StoredRun]:
        """What was deleted from the archive to make room."""
        return self._writer.deleted

    def archived(self, item: Object, size_bytes: int | None) -> ArchivedObject:
        """Archive an object, which takes `size_bytes` on the engine. Raises NotArchivedError, EngineError, and what
        `interrupt` raises."""
        ref = ref_of(item)
        tags = item.tags if isinstance(item, Image) else ()
        original = Original(kind=ref.kind, id=ref.id, name=name_of(item), tags=tags, size_bytes=size_bytes)
        try:
            return self._write(item, original)
        except NotArchivedError:
            raise
        except ArchiveError as error:
            raise NotArchivedError(str(error)) from None
        except OSError as error:
            raise NotArchivedError(f"it cannot be read: {what_is_wrong(error)}") from None

    def _write(self, item: Object, original: Original) -> ArchivedObject:
        if isinstance(item, Volume):
            with self._reader.volume(item) as volume:
                if volume.folder is not None:
                    return self._writer.volume_from_folder(original, volume.document, volume.folder)
                tar = None if volume.tar is None else self._interruptible(volume.tar)
                return self._writer.volume_from_tar(original, volume.document, tar, volume.not_kept)
        if isinstance(item, Container):
            with self._reader.container(item.id) as container:
                return self._writer.container(
                    original,
                    container.document,
                    layer=None if container.layer is None else self._interruptible(container.layer),
                    log=None if container.log is None else self._interruptible(container.log),
                    read_from=container.read_from,
                    not_kept=container.not_kept,
                    check_unchanged=container.check_unchanged,
                )
        if isinstance(item, Image):
            return self._writer.image(original, self._interruptible(self._image(item)))
        if isinstance(item, Network):
            return self._writer.network(original, self._reader.network(item.id))
        raise NotArchivedError("build cache has no archive")

    def _image(self, item: Image) -> Iterator[bytes]:
        """Yield the pieces of an image's tar; looks for room when the first one is asked for, and other images are
        written. Raises NotArchivedError where it would fill the engine's disk."""
        folder = self._reader.export_folder
        if folder is not None and item.size_bytes is not None:
            # Few runs archive images.
            from dockersweep.commands.running.export_room import require_export_room

            require_export_room(folder, item.size_bytes, self.folder, self._min_free)
        yield from self._reader.image(item.id)

    def _interruptible(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._interrupt()
            yield piece

    def close(self) -> list[str]:
        """Finish the run; return what went wrong."""
        if self._is_closed:
            return []
        self._is_closed = True
        problem = self._containers.close()
        problems = [] if problem is None else [problem]
        try:
            with self._writer:
                pass
        except ArchiveError as error:
            problems.append(str(error))
        return problems
