"""Where the archive is, and where others may be."""

import os
from collections.abc import Iterable

from dockersweep.ledger import state_folder
from dockersweep.model.policy import ArchiveSettings

NAME = "archive"


def archive_folder(settings: ArchiveSettings | None = None) -> str:
    """Return the folder of the archive, absolute: that of the policy, or the usual one in the state folder."""
    if settings is not None and settings.folder is not None:
        return os.path.abspath(os.path.expanduser(settings.folder))
    return os.path.abspath(state_folder(os.environ, os.geteuid()) / NAME)


def known_archives(settings: ArchiveSettings | None, of_ledger: Iterable[str]) -> tuple[str, ...]:
    """Return the folder of the archive of a policy, or the usual one, then those that runs have written to, as the
    ledger tells; whether or not anything is there. Absolute, and without links."""
    return tuple(dict.fromkeys(map(os.path.realpath, (archive_folder(settings), *of_ledger))))
