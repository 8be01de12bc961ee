"""The parts of an engine's storage according to the metadata on its disk, before they are measured."""

from msgspec import Struct

VOLUME = "volume:"
"""The prefix of part ids of volumes."""


class DiskPart(Struct, frozen=True):
    """A part of the storage, not measured yet; its id and needs are as in model/storage.py."""

    id: str
    needs: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    """The files and folders that are removed with it, the one with its contents first; they may be gone by now."""
    known_disk_bytes: int = 0
    """The disk bytes of files outside `places`, known from the metadata, so they need not be walked."""
    never_changes: bool = False
    """Whether one measurement is valid for as long as the part exists."""
    folder: str | None = None
    """The main folder, if that is not the first of the places."""
    counted: str | None = None
    """The folder in it whose file lengths the engine adds up; None if the engine counts something else."""
    length: int | None = None
    """The sum that the engine has recorded in its metadata, if any."""
    lower: "DiskPart | None" = None
    """A layer that only this part depends on and that is removed with it, so it counts as a piece of it."""
    in_registry: bool | None = None
    """Whether an image was pulled or pushed; None where the metadata do not show it."""


class UnreadableStorageError(Exception):
    """The metadata are missing, or not in a known format; the scan goes on with what the engine's API returns."""
