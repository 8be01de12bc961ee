"""The types for one look at unowned files in an engine's folders."""

import os
import re
from collections.abc import Set
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from dockersweep.model.engine_folder import LeakKind, LeakReason

KnownFolders = Set[str]
"""The absolute paths of the folders of parts that the scan found, which are owned: if there are no others, the metadata
need not be read again."""


class Unowned(NamedTuple):
    """A folder or file that the metadata, read after it was found, do not name or no longer keep."""

    path: Path
    kind: LeakKind
    why: LeakReason
    expired_at: datetime | None = None
    """When the lease on it expired."""
    lease: str | None = None
    """The lease that keeps it all the same."""
    lease_made_at: datetime | None = None
    """When the lease was created, which counts as a change."""


def names_in(place: Path, wanted: re.Pattern[str]) -> list[str]:
    """Return the names in a folder that match `wanted`; none if it does not exist. Raises OSError."""
    try:
        return [name for name in os.listdir(place) if wanted.fullmatch(name)]
    except FileNotFoundError:
        return []
