"""Where the contents of what is made again come from: the archive, which this wing does not know."""

from collections.abc import Iterator
from typing import Any, Protocol

from dockersweep.model.restoring import Removed


class Sources(Protocol):
    """Gives what was kept of removed objects. Raises ArchiveError where that is damaged, also while it is read."""

    def document(self, removed: Removed) -> dict[str, Any]:
        """Return the engine's own document about a volume, a network or a container."""

    def files(self, removed: Removed) -> Iterator[bytes] | None:
        """Return the tar of the files of a volume, or of the writable layer of a container, from its beginning; None
        where there is none."""

    def unpack(self, removed: Removed, folder: str) -> list[str]:
        """Put the files of a volume into an empty folder; return the paths that are not as they were archived."""

    def image(self, removed: Removed) -> Iterator[bytes]:
        """Return the tar of an image, without tags."""


class NotMadeError(Exception):
    """An object is skipped; the message says why."""

    is_there = False


class IsThereError(NotMadeError):
    """Something of its name is there."""

    is_there = True
