"""An object of the archive while it is written: in full before it has its name."""

import os
import shutil
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import count

import msgspec

from dockersweep.archive.attributes import attributes_in, written
from dockersweep.archive.mapped_files import MappedFiles
from dockersweep.archive.packing import Packed, check_unchanged, pack
from dockersweep.archive.paths import OBJECT, PARTIAL, folder_name, hash_of, sync_folder, write_whole
from dockersweep.archive.room import Room
from dockersweep.archive.stored_file import Compressor, StoredFile, store, store_compressed
from dockersweep.archive.stored_reading import decompressed
from dockersweep.files import is_there
from dockersweep.model.archive import ArchivedFile, ArchivedObject, Original, ReadFrom


class NewObject:
    """An object that is being written."""

    def __init__(self, run: str, group: str, original: Original, name: str, room: Room) -> None:
        """`name` is that of its folder in the folder `group` of a run, as far as it is safe. Raises OSError."""
        name = plain = folder_name(name)
        further = count(2)
        while is_there(f"{run}/{group}/{name}"):
            # A container of a name that an earlier one had, or the same object again: it stayed, and was used since.
            number = "" if name == plain else f"-{next(further)}"
            name = f"{plain}-{hash_of(original.id)[:12]}{number}"
        self._run, self._group, self._name = run, group, name
        self._partial = f"{run}/{group}/{PARTIAL}{name}"
        self._original = original
        self._room = room
        self._files: list[ArchivedFile] = []
        self.written_bytes = 0
        self._settled_bytes = 0
        self._archived: ArchivedObject | None = None
        os.mkdir(self._partial, 0o700)

    @property
    def archived(self) -> ArchivedObject:
        """The object, once it was finished."""
        assert self._archived is not None
        return self._archived

    def room_for(self, in_hand: int) -> None:
        """Raise NoRoomError where there is no room for so many bytes beside what is written of it."""
        self._room.check(self.written_bytes + in_hand)

    def add(self, file: ArchivedFile) -> None:
        """Add a file that is in the folder of the run already."""
        self._files.append(file)

    def _add(self, name: str, file: StoredFile) -> None:
        self.written_bytes += file.size_bytes
        self.add(file.described(f"{self._group}/{self._name}/{name}"))

    def keep(self, name: str, content: bytes) -> None:
        """Write a small file."""
        self._add(name, store(f"{self._partial}/{name}", content, self.room_for))

    def compress(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write a compressed file."""
        self._add(name, store_compressed(f"{self._partial}/{name}", chunks, self.room_for))

    def pack(self, tree: int, mapped: MappedFiles) -> Packed:
        """Write data.tar.zst, manifest.zst and, where there is anything to say, attributes.zst of an open folder."""
        manifest_path = f"{self._partial}/manifest.zst"
        with (
            StoredFile(manifest_path, self.room_for) as manifest,
            StoredFile(f"{self._partial}/data.tar.zst", self.room_for) as data,
            Compressor(manifest) as packing_manifest,
            Compressor(data) as packing_data,
        ):
            packed = pack(tree, packing_manifest.write, packing_manifest.finish, packing_data.write)
            packing_data.finish()
        self._add("data.tar.zst", data)
        self._add("manifest.zst", manifest)
        if packed.has_attributes:
            self.compress("attributes.zst", written(attributes_in(tree, decompressed(manifest_path))))
        # Last: to bring all of it to the disk may take long, and what is written meanwhile would go with the volume.
        check_unchanged(tree, packed, mapped)
        return packed

    def finish(self, read_from: ReadFrom, entries: int | None, not_kept: Sequence[str]) -> ArchivedObject:
        """Give it its name, with everything on the disk: from then on it is archived."""
        self._room.settle(self.written_bytes)
        self._settled_bytes = self.written_bytes
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
            self._room.release(self._settled_bytes)
            shutil.rmtree(self._partial, ignore_errors=True)
