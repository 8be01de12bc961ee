"""What a look at an engine's folders and metadata finds that nobody owns."""

import os
import re
from collections.abc import Set
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from dockersweep.model.engine_folder import LeakKind, LeakReason

KnownFolders = Set[str]
"""The folders of the parts that the scan found, which somebody owns, as absolute paths: where these are all that there
are, no metadata have to be read again."""


class Unowned(NamedTuple):
    """A folder or file that the metadata, read after it was seen, do not name, or let go of."""

    path: Path
    kind: LeakKind
    why: LeakReason
    expired_at: datetime | None = None
    """When the lease on it expired."""
    lease: str | None = None
    """The lease that keeps it all the same."""
    lease_made_at: datetime | None = None
    """When that was, which counts as a change."""


def names_in(place: Path, wanted: re.Pattern[str]) -> list[str]:
    """Return the names in a folder that are such as an engine gives; none where it is not there. Raises OSError."""
    try:
        return [name for name in os.listdir(place) if wanted.fullmatch(name)]
    except FileNotFoundError:
        return []
