"""Where the archive is."""

import os

from dockersweep.ledger import state_folder
from dockersweep.model.policy import ArchiveSettings

NAME = "archive"


def archive_folder(settings: ArchiveSettings | None = None) -> str:
    """Return the folder of the archive, absolute: that of the policy, or the usual one in the state folder."""
    if settings is not None and settings.folder is not None:
        return os.path.abspath(os.path.expanduser(settings.folder))
    return os.path.abspath(state_folder(os.environ, os.geteuid()) / NAME)
