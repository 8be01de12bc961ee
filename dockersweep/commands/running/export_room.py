"""Whether the engine's disk has room for an image that is exported: some engines write all of it there first.

Asked for more than there is, the engine fills its disk before it gives up, and what runs on it fails meanwhile.
"""

import os

from dockersweep.archive.room import min_free_bytes
from dockersweep.errors import NoRoomError, NotArchivedError
from dockersweep.model.policy import Space
from dockersweep.units import format_size


def require_export_room(folder: str, image_bytes: int, archive: str, min_free: Space) -> None:
    """Raise where it is known that an image of `image_bytes` cannot be exported by way of a folder of the engine:
    NoRoomError where the archive is on the same disk, of which `min_free` has to stay free, NotArchivedError elsewhere.
    """
    try:
        disk = os.statvfs(folder)
        is_shared = os.stat(folder).st_dev == os.stat(archive).st_dev
    except OSError:
        # The engine writes elsewhere, or its folder cannot be seen.
        return
    # An engine is root, and may take what is reserved for root; the archive leaves it alone.
    free, usable = disk.f_bfree * disk.f_frsize, disk.f_bavail * disk.f_frsize
    text = (
        f"the engine's disk has {format_size(usable)} free, and the engine writes an image there before it gives it "
        f"(up to {format_size(image_bytes)})"
    )
    if is_shared and max(0, usable - image_bytes) < min_free_bytes(min_free, disk.f_blocks * disk.f_frsize):
        raise NoRoomError(f"{text}; the archive is on the same disk, of which {min_free.text} stays free (min_free)")
    if free < image_bytes:
        raise NotArchivedError(text)
