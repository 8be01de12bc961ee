"""Runs dockersweep and kills it at the nth step of its archiving: before and after each thing that can be seen from
outside, a file that is made, written, synced or renamed, a row of the ledger, a request.

`python -m tests.rig.killed_at N FILE WORDS...`: FILE has how many steps were made. With 0 it is not killed.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

_LOCK = threading.Lock()


class Steps:
    """Counts the steps from the opening of the archive on, and kills this process at one of them."""

    def __init__(self, fatal: int, told: Path) -> None:
        self._fatal = fatal
        self._told = told
        self._count = 0
        self.counts = False

    def step(self) -> None:
        if not self.counts:
            return
        with _LOCK:
            self._count += 1
            if self._count == self._fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            self._told.write_text(str(self._count))

    def around(self, owner: Any, name: str) -> None:
        """Make a step before and after each call of a function or method."""
        original: Callable[..., Any] = getattr(owner, name)

        def stepping(*arguments: Any, **named: Any) -> Any:
            self.step()
            result = original(*arguments, **named)
            self.step()
            return result

        setattr(owner, name, stepping)


def main(fatal: str, told: str, *words: str) -> None:
    from dockersweep import cli
    from dockersweep.archive import stored_file
    from dockersweep.commands.running import archive_writing, archiving
    from dockersweep.engine.api.connection import Connection
    from dockersweep.ledger.runs import RunRecord

    steps = Steps(int(fatal), Path(told))
    for name in ("mkdir", "fsync", "rename", "rmdir", "unlink"):
        steps.around(os, name)
    steps.around(stored_file.StoredFile, "write")
    for name in ("archived", "definition", "sending", "ended", "finish"):
        steps.around(RunRecord, name)
    steps.around(Connection, "request")
    steps.around(Connection, "stream")
    steps.around(archive_writing.ArchiveWriting, "close")
    prepare = archiving.RunArchive.prepare

    def begin(*arguments: Any) -> None:
        steps.counts = True
        prepare(*arguments)

    archiving.RunArchive.prepare = begin  # type: ignore[method-assign,assignment]
    cli.main(list(words))


if __name__ == "__main__":
    main(*sys.argv[1:])
