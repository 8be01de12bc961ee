"""What an engine's own metadata tell of its storage, before anything is measured."""

from dataclasses import dataclass
from pathlib import Path

from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Volume


@dataclass(frozen=True)
class Found:
    """A part: see model/storage.py for its id and what it needs."""

    id: str
    needs: tuple[str, ...] = ()
    places: tuple[Path, ...] = ()
    """The files and folders that go with it, the one with its contents first; they may have gone by now."""
    known_disk_bytes: int = 0
    """The blocks of what is not among the places, where the metadata tell them, so that it need not be walked."""
    never_changes: bool = False
    """Whether what was measured once holds for as long as the part is there."""
    folder: Path | None = None
    """Where most of it lies, if that is not the first of the places."""
    in_registry: bool | None = None
    """Of an image, whether it was pulled or pushed; None where these metadata do not tell."""


class UnreadableStorageError(Exception):
    """The metadata are not there, or not as they are known to be; the engine's own words must do."""


class ForeignFolderError(UnreadableStorageError):
    """The folder is not that of the engine that listed these objects."""


@dataclass(frozen=True)
class Listed:
    """What the engine itself lists."""

    containers: tuple[Container, ...]
    images: tuple[Image, ...]
    volumes: tuple[Volume, ...]
    build_cache: tuple[BuildCacheRecord, ...] | None
