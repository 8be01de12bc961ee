"""Where runs share the lock of an engine: what one of them has left on the engine, another there may remove."""

import os
import socket
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

from dockersweep.engine.api.archive_calls import ArchiveCalls
from dockersweep.engine.archiving.volume_containers import remove_leftovers
from dockersweep.errors import EngineError
from dockersweep.files import read_named
from dockersweep.ledger import state_folder
from dockersweep.model.inventory import ScanWarning

if TYPE_CHECKING:
    from dockersweep.engine.api.client import Client

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def archiving_place() -> str:
    """Return a name for the state folder of this machine, which has the locks; in a container that has it mounted it is
    the same. After a boot it is another."""
    folder = state_folder(os.environ, os.geteuid())
    parts = [str(folder)]
    with suppress(OSError):
        state = os.stat(folder)
        parts = [str(state.st_dev), str(state.st_ino)]
    try:
        parts.append(read_named(_BOOT_ID, 100).decode("ascii", "replace"))
    except OSError:
        parts.append(socket.gethostname())
    return sha256(" ".join(parts).encode()).hexdigest()[:12]


def remove_made_to_read(client: "Client", warnings: list[ScanWarning]) -> bool:
    """Remove what killed runs have made to read volumes; return whether that worked, or add a warning. The engine's
    lock must be held."""
    try:
        remove_leftovers(ArchiveCalls.sharing(client), archiving_place(), client.clock)
    except EngineError as error:
        warnings.append(ScanWarning(about="archive", text=str(error)))
        return False
    return True
