"""The OCI layout with all images of a run, in which layers that several of them have lie once.

`docker load` takes it too: beside `index.json` there is `manifest.json`. Each image has both for itself in a folder of
its own, with a list of its blobs, so that tar can put one image together.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from itertools import count

import msgspec

from dockersweep.archive.paths import PARTIAL, make_folders, sync_folder, write_whole
from dockersweep.archive.saved_image import LAYOUT, Blob, LayoutImage, index_of
from dockersweep.archive.stored_file import StoredFile
from dockersweep.files import is_there, read_inside

IMAGES = "images/objects"
"""Where the folders of images are in that of a run."""
_BLOBS = "blobs/sha256"


def path_of(digest: str) -> str:
    """Return the path of a blob in the layout."""
    return f"{_BLOBS}/{digest}"


class ImageLayout:
    """The layout while one image is added to it."""

    def __init__(self, path: str, images: list[LayoutImage], check: Callable[[int], None]) -> None:
        """`images` are those in it, to which the new one is added; `check` is called with the number of new bytes."""
        self._path = path
        self._images = images
        self._check = check
        self._new: dict[str, Blob] = {}
        self._numbers = count()
        make_folders(path, _BLOBS)

    def store(self, chunks: Iterable[bytes]) -> Blob:
        """Store a blob, unless it is there already. Raises NotArchivedError without room, and OSError."""
        before = self.new_bytes
        partial = f"{self._path}/{_BLOBS}/{PARTIAL}{next(self._numbers)}"
        try:
            with StoredFile(partial, lambda size: self._check(before + size)) as file:
                for chunk in chunks:
                    file.write(chunk)
                blob = Blob(file.sha256, file.size_bytes)
                place = f"{self._path}/{path_of(blob.digest)}"
                if not is_there(place):
                    file.sync()
                    os.rename(partial, place)
                    self._new[blob.digest] = blob
                return blob
        finally:
            if is_there(partial):
                os.unlink(partial)

    def read(self, digest: str, largest_bytes: int) -> bytes:
        """Return the content of a small blob. Raises OSError."""
        return read_inside(f"{self._path}/{path_of(digest)}", largest_bytes)

    def add(self, image: LayoutImage) -> None:
        """Name an image in the documents of the layout. Raises OSError."""
        sync_folder(f"{self._path}/{_BLOBS}")
        self._write_documents([*self._images, image])
        self._images.append(image)

    def take_out(self, image: LayoutImage) -> None:
        """Take out an image that was added, and then could not be archived. Raises OSError."""
        self._images.remove(image)
        self._write_documents(self._images)

    def _write_documents(self, images: Sequence[LayoutImage]) -> None:
        entries = [one.entry for one in images if one.entry is not None]
        write_whole(f"{self._path}/oci-layout", LAYOUT)
        write_whole(f"{self._path}/index.json", index_of(one for image in images for one in image.descriptors))
        write_whole(f"{self._path}/manifest.json", msgspec.json.encode(entries))

    @property
    def new_bytes(self) -> int:
        """How many bytes the blobs take that were not there before."""
        return sum(blob.size_bytes for blob in self._new.values())

    def delete_unused(self) -> None:
        """Delete the new blobs that no image of the layout has: all of them where it was not added."""
        used = {blob.digest for image in self._images for blob in image.blobs}
        for digest in self._new.keys() - used:
            os.unlink(f"{self._path}/{path_of(digest)}")
