"""Writes what one run archives: each object below a name of its own, in full before it has its name."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import Lock
from types import TracebackType
from typing import Self

import msgspec
from msgspec.structs import replace

from dockersweep.archive.image_layout import IMAGES, ImageLayout, path_of
from dockersweep.archive.mapped_files import MappedFiles
from dockersweep.archive.new_object import NewObject
from dockersweep.archive.packing import open_tree
from dockersweep.archive.paths import INDEX, cannot, make_folders, not_written, write_whole
from dockersweep.archive.retention import StoredRun
from dockersweep.archive.room import Room
from dockersweep.archive.saved_image import LayoutImage, read_saved
from dockersweep.archive.tar_headers import TarHeaders
from dockersweep.errors import NotArchivedError
from dockersweep.files import AnyPath
from dockersweep.model.archive import Archive, ArchivedFile, ArchivedObject, Original, ReadFrom


class RunWriter:
    """The folder of a run that is being written. Several threads may archive objects at once."""

    def __init__(self, path: str, index: Archive, room: Room) -> None:
        """Use `ArchiveFolder.begin` instead. Raises ArchiveError and OSError; then nothing is left of the run."""
        self.path = path
        self._index = index
        self._room = room
        self._image_mutex = Lock()
        self._mapped = MappedFiles()
        self._images: list[LayoutImage] = []
        self._objects: list[ArchivedObject] = []
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # Whoever deletes leaves out a run that is locked.
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            self._write_index()
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Self:
        """Finish or give up at the end."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Finish it, after an error too: what is archived is archived. Raises ArchiveError."""
        try:
            self.finish()
        finally:
            os.close(self._descriptor)

    @property
    def name(self) -> str:
        """The name of the folder of the run."""
        return os.path.basename(self.path)

    @property
    def until(self) -> datetime:
        """Until when it is kept."""
        return self._index.until

    @property
    def objects(self) -> tuple[ArchivedObject, ...]:
        """What is archived so far."""
        return tuple(self._objects)

    @property
    def deleted(self) -> Sequence[StoredRun]:
        """What was deleted to make room for it."""
        return self._room.deleted

    def volume_from_folder(self, original: Original, inspect: bytes, folder: AnyPath) -> ArchivedObject:
        """Archive a volume whose files are in a folder of this machine; `inspect` is the engine's document about it.

        Raises NotArchivedError with the reason; then nothing is left of it in the archive.
        """
        with self._object("volumes", original) as new, open_tree(folder) as tree:
            new.keep("volume.json", inspect)
            packed = new.pack(tree, self._mapped)
            return new.finish("disk", packed.entries, packed.not_kept)

    def volume_from_tar(
        self, original: Original, inspect: bytes, tar: Iterable[bytes] | None, not_kept: Sequence[str] = ()
    ) -> ArchivedObject:
        """Archive a volume whose files come as a tar, in which the volume's own folder is `./`; None where its files
        are elsewhere and stay there.

        Raises NotArchivedError, and what reading `tar` raises; then nothing is left of it in the archive.
        """
        with self._object("volumes", original) as new:
            new.keep("volume.json", inspect)
            if tar is None:
                return new.finish("api", None, not_kept)
            headers = TarHeaders()
            new.compress("data.tar.zst", _looked_at(tar, headers))
            if not headers.has_ended:
                raise NotArchivedError("what the engine gave of it ended too early")
            return new.finish("api", headers.entries, not_kept)

    def container(
        self, original: Original, inspect: bytes, *, layer: Iterable[bytes] | None, log: Iterable[bytes] | None,
        read_from: ReadFrom, not_kept: Sequence[str] = (), check_unchanged: Callable[[], None] = lambda: None,
    ) -> ArchivedObject:  # fmt: skip
        """Archive a container: the engine's document about it, its writable layer as the tar of an OCI layer (None
        where nothing was written), and its logs, a JSON object a line as in json-file's (None where it has none).
        `check_unchanged` is called once all is read and on the disk; what it raises ends this.

        Raises NotArchivedError, and what reading raises; then nothing is left of it in the archive.
        """
        with self._object("containers", original) as new:
            new.keep("container.json", inspect)
            if layer is not None:
                new.compress("layer.tar.zst", layer)
            if log is not None:
                new.compress("log.jsonl.zst", log)
            check_unchanged()
            return new.finish(read_from, None, not_kept)

    def network(self, original: Original, inspect: bytes) -> ArchivedObject:
        """Archive a network: the engine's document about it. Raises NotArchivedError."""
        with self._object("networks", original) as new:
            new.keep("network.json", inspect)
            return new.finish("api", None, ())

    def image(self, original: Original, tar: Iterable[bytes]) -> ArchivedObject:
        """Archive an image that comes as the engine saves it by its id, in any of the forms that engines have.

        Raises NotArchivedError, and what reading `tar` raises; then nothing is left of it in the archive. Several
        images come one after the other: each may have layers of the one before.
        """
        with self._image_mutex, self._object(IMAGES, original, original.id.removeprefix("sha256:")) as new:
            # Before the engine is asked: it may write the whole image to this very disk first.
            new.room_for(0)
            layout = ImageLayout(f"{self.path}/images", self._images, new.room_for)
            try:
                image = read_saved(tar, original.id, original.tags, layout)
                new.keep("index.json", image.index)
                if image.manifest is not None:
                    new.keep("manifest.json", image.manifest)
                new.keep("blobs", "".join(f"{path_of(blob.digest)}\n" for blob in image.blobs).encode())
                layout.add(image)
                new.written_bytes += layout.new_bytes
                for blob in image.blobs:
                    path = f"images/{path_of(blob.digest)}"
                    new.add(ArchivedFile(path=path, size_bytes=blob.size_bytes, sha256=blob.digest))
                try:
                    return new.finish("api", None, ())
                except BaseException:
                    layout.take_out(image)
                    raise
            finally:
                layout.delete_unused()

    def finish(self) -> None:
        """Write the index with all objects; a run without any leaves nothing. Raises ArchiveError."""
        if self._objects:
            self._write_index()
            return
        try:
            shutil.rmtree(self.path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise cannot("written", self.path, error) from None

    def _write_index(self) -> None:
        index = replace(self._index, objects=self.objects)
        try:
            write_whole(f"{self.path}/{INDEX}", msgspec.json.format(msgspec.json.encode(index), indent=1))
        except OSError as error:
            raise cannot("written", self.path, error) from None

    @contextmanager
    def _object(self, group: str, original: Original, name: str | None = None) -> Iterator["NewObject"]:
        """Yield an object to write, below a name that does not count yet; it is deleted unless it was finished."""
        new: NewObject | None = None
        try:
            make_folders(self.path, group)
            new = NewObject(self.path, group, original, name or original.name, self._room)
            yield new
        except OSError as error:
            raise not_written(error) from None
        finally:
            if new is not None:
                new.close()
        self._objects.append(new.archived)


def _looked_at(tar: Iterable[bytes], headers: TarHeaders) -> Iterator[bytes]:
    """Yield a tar as it is; look at its headers on the way. Raises NotArchivedError where it is none."""
    for data in tar:
        try:
            headers.look(data, len(data))
        except ValueError:
            raise NotArchivedError("what the engine gave of it is no tar") from None
        yield data
