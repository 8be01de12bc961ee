"""The folders in which there may be archives: that of the policy, and those that runs have written to."""

import os
from collections.abc import Iterator

from dockersweep.commands.archive_folder import archive_folder
from dockersweep.commands.write import write_aside
from dockersweep.errors import LedgerError
from dockersweep.ledger import state_folder
from dockersweep.model.policy import ArchiveSettings


def known_archives(settings: ArchiveSettings | None) -> tuple[str, ...]:
    """Return the folder of the archive of a policy, or the usual one, then those that the ledger names; whether or not
    anything is there. Absolute, and without links."""
    folders = map(os.path.realpath, (archive_folder(settings), *_of_ledger()))
    return tuple(dict.fromkeys(folders))


def _of_ledger() -> Iterator[str]:
    # Imported late: it is for few verbs.
    from dockersweep.ledger.reading import read_archive_folders

    try:
        yield from read_archive_folders(state_folder(os.environ, os.geteuid()))
    except LedgerError as error:
        write_aside(f"archives that the ledger names are left out: {error}")
