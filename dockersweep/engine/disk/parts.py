"""What the metadata on an engine's disk tell of its storage, before any block is counted."""

from msgspec import Struct

VOLUME = "volume:"
"""What the ids of parts begin with that are volumes."""


class DiskPart(Struct, frozen=True):
    """A part of the storage as the metadata name it, not yet measured; its id and needs are as in model/storage.py."""

    id: str
    needs: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    """The files and folders that go with it, the one with its contents first; they may have gone by now."""
    known_disk_bytes: int = 0
    """The blocks of what is not among the places, where the metadata tell them, so that it need not be walked."""
    never_changes: bool = False
    """Whether what was measured once holds for as long as the part is there."""
    folder: str | None = None
    """Where most of it lies, if that is not the first of the places."""
    counted: str | None = None
    """The folder in it whose files' lengths the engine adds up; None where the engine adds up something else."""
    length: int | None = None
    """What the engine has added up, where the metadata tell it."""
    lower: "DiskPart | None" = None
    """A layer that only this part depends on and that goes with it, so that it counts as a piece of it."""
    in_registry: bool | None = None
    """Of an image, whether it was pulled or pushed; None where these metadata do not tell."""


class UnreadableStorageError(Exception):
    """The metadata are not there, or not in a known format; the scan goes on with what the engine's API tells."""
