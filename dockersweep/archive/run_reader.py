"""Reads what one run has archived, and gives it back."""

import fcntl
import os
import re
from collections.abc import Iterator
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import msgspec
from msgspec.structs import replace

from dockersweep.archive.image_layout import IMAGES
from dockersweep.archive.image_tar import tar_of_image
from dockersweep.archive.paths import INDEX, OBJECT, PARTIAL, check_inside, open_below
from dockersweep.archive.stored_reading import damaged, read_compressed, read_stored
from dockersweep.archive.unpacking import differences, open_empty, unpack
from dockersweep.errors import ArchiveError
from dockersweep.files import AnyPath, read_bounded, what_is_wrong
from dockersweep.model.archive import Archive, ArchivedFile, ArchivedObject

Document = TypeVar("Document", bound=msgspec.Struct)
LARGEST_INDEX_BYTES = 1_000_000_000
LARGEST_DOCUMENT_BYTES = 100_000_000
GROUPS = ("volumes", "containers", "networks", IMAGES)


class RunReader:
    """The folder of a run, which nobody deletes while it is open. Use `ArchiveFolder.open_run`, as a context."""

    def __init__(self, path: str) -> None:
        """Raises ArchiveError where it is not there, cannot be read, or is being written."""
        self.path = path
        self.name = os.path.basename(path)
        try:
            self._folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise ArchiveError(f"the archive cannot be read: {what_is_wrong(error)}") from None
        try:
            fcntl.flock(self._folder, fcntl.LOCK_SH | fcntl.LOCK_NB)
            self.archive = read_archive(self._folder, path)
        except BlockingIOError:
            os.close(self._folder)
            raise ArchiveError(f"another dockersweep writes or deletes {path}: try again when that has ended") from None
        except BaseException:
            os.close(self._folder)
            raise

    def __enter__(self) -> Self:
        """Close it at the end."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close it."""
        os.close(self._folder)

    @property
    def objects(self) -> tuple[ArchivedObject, ...]:
        """All that is archived, also where the run was killed."""
        return self.archive.objects

    def stored(self, file: ArchivedFile) -> Iterator[bytes]:
        """Return a file as it lies there. Raises ArchiveError, at its end too, where it is not what the index says."""
        return read_stored(self._folder, file, self.path)

    def inspect_of(self, archived: ArchivedObject) -> bytes:
        """Return the engine's document about a volume, a container or a network. Raises ArchiveError."""
        file = self._file(archived, f"{archived.kind}.json")
        if file is None or file.size_bytes > LARGEST_DOCUMENT_BYTES:
            raise ArchiveError(
                f"the archive has no document about the {archived.kind} {archived.name!r} in {self.path}"
            )
        return b"".join(self.stored(file))

    def tar_of(self, archived: ArchivedObject) -> Iterator[bytes] | None:
        """Return what a volume held as a tar, in which its own folder is `./`; of a container the tar of its layer.

        None where there is none: nothing was written. Raises ArchiveError, at the end too: what was read until then is
        damaged.
        """
        file = self._file(archived, "data.tar.zst" if archived.kind == "volume" else "layer.tar.zst")
        return None if file is None else self._read(file)

    def image_tar(self, archived: ArchivedObject, *, with_tags: bool) -> Iterator[bytes]:
        """Return an image as a tar that every engine loads, with all of its tags or without any.

        Raises ArchiveError, within it too: before the tar is whole.
        """
        index, manifest = (self._file(archived, name) for name in ("index.json", "manifest.json"))
        if index is None:
            raise ArchiveError(f"the archive has no image {archived.name!r} in {self.path}")
        documents = (b"".join(self.stored(file)) for file in (index, manifest) if file)
        blobs = (
            (file.path.removeprefix("images/"), file.size_bytes, self.stored(file))
            for file in archived.files
            if file.path.startswith("images/blobs/")
        )
        return tar_of_image(next(documents), next(documents, None), blobs, with_tags=with_tags)

    def unpack(self, archived: ArchivedObject, folder: AnyPath) -> list[str]:
        """Put the files of a volume into an empty folder of this machine, and nowhere else; as root, with GNU tar.

        Return the paths in which it differs from what was archived: usually none. Raises ArchiveError where it cannot
        be done, or what is in the archive is damaged; then the folder is left as far as it was filled.
        """
        tar = self.tar_of(archived)
        if tar is None:
            raise ArchiveError(f"the archive has no files of the {archived.kind} {archived.name!r} in {self.path}")
        with open_empty(folder) as into:
            unpack(tar, into)
            kept = [self._file(archived, name) for name in ("manifest.zst", "attributes.zst")]
            manifest, attributes = (None if file is None else partial(self._read, file) for file in kept)
            return [] if manifest is None else differences(into, manifest, attributes)

    def _read(self, file: ArchivedFile) -> Iterator[bytes]:
        return read_compressed(self._folder, file, self.path)

    def _file(self, archived: ArchivedObject, name: str) -> ArchivedFile | None:
        return next((file for file in archived.files if file.path.endswith(f"/{name}")), None)


def read_archive(folder: int, path: str) -> Archive:
    """Return all that is archived in a run, an open folder with this path, also where it was killed.

    Raises ArchiveError where it cannot be read, is of a newer version, or is damaged.
    """
    archive = _document(folder, path, INDEX, Archive)
    indexed = {object_file(archived) for archived in archive.objects}
    others = (file for file in _object_files(path) if file not in indexed)
    further = [_document(folder, path, file, ArchivedObject) for file in others]
    archive = replace(archive, objects=(*archive.objects, *further))
    for archived in archive.objects:
        if archived.kind == "build-cache":
            raise ArchiveError(damaged(path, "it has build cache, which is never archived"))
        for file in archived.files:
            check_inside(file.path)
    return archive


def _object_files(path: str) -> Iterator[str]:
    """Yield the paths of the documents about one object each."""
    for group in GROUPS:
        yield from (f"{group}/{name}/{OBJECT}" for name in _names_in(f"{path}/{group}"))


def _names_in(folder: str) -> list[str]:
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ArchiveError(f"the archive cannot be read: {what_is_wrong(error)}") from None
    return sorted(name for name in names if not name.startswith(PARTIAL))


def _document(folder: int, path: str, name: str, type_: type[Document]) -> Document:
    named = f"{path}/{name}"
    try:
        with open_below(folder, name) as descriptor:
            data = read_bounded(descriptor, named, LARGEST_INDEX_BYTES)
    except OSError as error:
        raise ArchiveError(damaged(named, error.strerror or str(error))) from None
    return document_of(data, type_, named)


def object_file(archived: ArchivedObject) -> str:
    """Return the path of the document about one object, below its run."""
    path = archived.files[0].path if archived.files else ""
    return f"{path.rpartition('/')[0]}/{OBJECT}"


def document_of(data: bytes, type_: type[Document], named: str) -> Document:
    """Return a document of the archive. Raises ArchiveError where it is of a newer version, or damaged."""
    try:
        return msgspec.json.decode(data, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        schema = re.search(rb'"schema": *"(dockersweep\.archive/[1-9][0-9]{0,5})"', data[:1000])
        if schema is not None and schema[1] != b"dockersweep.archive/1":
            raise ArchiveError(
                f"{named} is {schema[1].decode()}, newer than this dockersweep reads (version 1): update dockersweep"
            ) from None
        raise ArchiveError(damaged(named, f"it is not what dockersweep writes: {error}")) from None
