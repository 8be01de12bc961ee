"""Writes what one run archives: each object below a name of its own, in full before it has its name."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock
from types import TracebackType
from typing import Self

import msgspec
from msgspec.structs import replace

from dockersweep.archive.image_layout import IMAGES, ImageLayout, path_of
from dockersweep.archive.packing import Packed, open_tree, pack
from dockersweep.archive.paths import PARTIAL, cannot, folder_name, hash_of, make_folders, sync_folder, write_whole
from dockersweep.archive.room import Room
from dockersweep.archive.saved_image import LayoutImage, read_saved
from dockersweep.archive.stored_file import Compressor, StoredFile, store, store_compressed
from dockersweep.errors import NotArchivedError
from dockersweep.files import AnyPath, is_there, what_is_wrong
from dockersweep.model.archive import Archive, ArchivedFile, ArchivedObject, Original, ReadFrom

INDEX = "index.json"
OBJECT = "object.json"


class RunWriter:
    """The folder of a run that is being written. Several threads may archive objects at once."""

    def __init__(self, path: str, index: Archive, room: Room) -> None:
        """Use `ArchiveFolder.begin` instead."""
        self.path = path
        self._index = index
        self._room = room
        self._mutex = Lock()
        self._image_mutex = Lock()
        self._images: list[LayoutImage] = []
        self._objects: list[ArchivedObject] = []
        self._bytes = 0
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        # Whoever deletes leaves out a run that is locked.
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        self._write_index()

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

    def volume_from_folder(self, original: Original, inspect: bytes, folder: AnyPath) -> ArchivedObject:
        """Archive a volume whose files are in a folder of this machine; `inspect` is the engine's document about it.

        Raises NotArchivedError with the reason; then nothing is left of it in the archive.
        """
        with self._object("volumes", original) as new, open_tree(folder) as tree:
            new.keep("volume.json", inspect)
            packed = new.pack(tree)
            return new.finish("disk", packed.entries, packed.not_kept)

    def volume_from_tar(
        self, original: Original, inspect: bytes, tar: Iterable[bytes], not_kept: Sequence[str] = ()
    ) -> ArchivedObject:
        """Archive a volume whose files come as a tar, in which the volume's own folder is `./`.

        Raises NotArchivedError, and what reading `tar` raises; then nothing is left of it in the archive.
        """
        with self._object("volumes", original) as new:
            new.keep("volume.json", inspect)
            new.compress("data.tar.zst", tar)
            return new.finish("api", None, not_kept)

    def container(
        self, original: Original, inspect: bytes, *, layer: Iterable[bytes] | None, log: Iterable[bytes] | None,
        read_from: ReadFrom, not_kept: Sequence[str] = (),
    ) -> ArchivedObject:  # fmt: skip
        """Archive a container: the engine's document about it, its writable layer as the tar of an OCI layer (None
        where nothing was written), and its logs, a JSON object a line as in json-file's (None where it has none).

        Raises NotArchivedError, and what reading raises; then nothing is left of it in the archive.
        """
        with self._object("containers", original) as new:
            new.keep("container.json", inspect)
            if layer is not None:
                new.compress("layer.tar.zst", layer)
            if log is not None:
                new.compress("log.jsonl.zst", log)
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
                return new.finish("api", None, ())
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
    def _object(self, group: str, original: Original, name: str | None = None) -> Iterator["_NewObject"]:
        """Yield an object to write, below a name that does not count yet; it is deleted unless it was finished."""
        new: _NewObject | None = None
        try:
            make_folders(self.path, group)
            new = _NewObject(self.path, group, original, name or original.name, self._check)
            yield new
        except OSError as error:
            raise NotArchivedError(f"the archive cannot be written: {what_is_wrong(error)}") from None
        finally:
            if new is not None:
                new.close()
        with self._mutex:
            self._objects.append(new.archived)
            self._bytes += new.written_bytes

    def _check(self, in_hand: int) -> None:
        self._room.check(self._bytes + in_hand)


class _NewObject:
    """An object that is being written."""

    def __init__(self, run: str, group: str, original: Original, name: str, check: Callable[[int], None]) -> None:
        name = folder_name(name)
        if is_there(f"{run}/{group}/{name}"):
            # A container of a name that an earlier one had.
            name = f"{name}-{hash_of(original.id)[:12]}"
        self._run, self._group, self._name = run, group, name
        self._partial = f"{run}/{group}/{PARTIAL}{name}"
        self._original = original
        self._check = check
        self._files: list[ArchivedFile] = []
        self.written_bytes = 0
        self._archived: ArchivedObject | None = None
        os.mkdir(self._partial, 0o700)

    @property
    def archived(self) -> ArchivedObject:
        assert self._archived is not None
        return self._archived

    def room_for(self, in_hand: int) -> None:
        self._check(self.written_bytes + in_hand)

    def add(self, file: ArchivedFile) -> None:
        """Add a file that is in the folder of the run already."""
        self._files.append(file)

    def _add(self, name: str, file: StoredFile) -> None:
        self.written_bytes += file.size_bytes
        self.add(file.described(f"{self._group}/{self._name}/{name}"))

    def keep(self, name: str, content: bytes) -> None:
        self._add(name, store(f"{self._partial}/{name}", content, self.room_for))

    def compress(self, name: str, chunks: Iterable[bytes]) -> None:
        self._add(name, store_compressed(f"{self._partial}/{name}", chunks, self.room_for))

    def pack(self, tree: int) -> Packed:
        """Write data.tar.zst and manifest.zst of an open folder."""
        with (
            StoredFile(f"{self._partial}/manifest.zst", self.room_for) as manifest,
            StoredFile(f"{self._partial}/data.tar.zst", self.room_for) as data,
        ):
            packing_manifest, packing_data = Compressor(manifest), Compressor(data)
            packed = pack(tree, packing_manifest.write, packing_manifest.finish, packing_data.write)
            packing_data.finish()
        self._add("data.tar.zst", data)
        self._add("manifest.zst", manifest)
        return packed

    def finish(self, read_from: ReadFrom, entries: int | None, not_kept: Sequence[str]) -> ArchivedObject:
        """Give it its name, with everything on the disk."""
        original = self._original
        archived = ArchivedObject(
            kind=original.kind, id=original.id, name=original.name, tags=original.tags,
            archived_at=datetime.now(UTC), read_from=read_from, size_bytes=original.size_bytes,
            files=tuple(self._files), entries=entries, not_kept=tuple(not_kept),
        )  # fmt: skip
        write_whole(f"{self._partial}/{OBJECT}", msgspec.json.encode(archived))
        os.rename(self._partial, f"{self._run}/{self._group}/{self._name}")
        sync_folder(f"{self._run}/{self._group}")
        self._archived = archived
        return archived

    def close(self) -> None:
        """Delete what was not finished."""
        if self._archived is None:
            shutil.rmtree(self._partial, ignore_errors=True)
