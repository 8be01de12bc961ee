"""The ledger, a SQLite file: since when each object is there and unused, what is marked, and what runs removed and why.

No engine tells when an image that was pulled or loaded arrived (engine-api.md §4), so without this file a dangling
image would never become old. It lies in `$DOCKERSWEEP_STATE_DIR`, else /var/lib/dockersweep for root, else
`$XDG_STATE_HOME/dockersweep`; folder 0700, file 0600.

This module exports what every run needs. `check` and `reading` are for `history` alone.
"""

from dockersweep.ledger.folder import FILE_NAME, state_folder
from dockersweep.ledger.ledger import Ledger
from dockersweep.ledger.runs import RunRecord

__all__ = [
    "FILE_NAME",
    "Ledger",
    "RunRecord",
    "state_folder",
]
