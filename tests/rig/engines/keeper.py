"""The keeper of one running engine: ends it and cleans up when its owner goes, however that goes.

The owner holds the other end of our standard input. When that ends without the engine having ended, the
owner is dead, and the engine and its run directory go. Should the keeper itself be killed, the kernel ends
the engine with it, and the next start of any engine sweeps up the rest.

    python -m tests.rig.engines.keeper RUN_DIRECTORY COMMAND...
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from tests.rig.engines import cgroups, rundir

CHECKOUT = Path(__file__).parents[3]
PID_FILE = "pid"
"""The file in which the first process of the engine's namespaces writes its process id, as we see it."""


def start(run: rundir.RunDirectory, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a keeper that runs this, and tells what it says in the log of its run directory."""
    with (run.path / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.rig.engines.keeper", str(run.path), *command],
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            # The lock stays held until the keeper has cleaned up, also when we die first.
            pass_fds=(run.lock,),
            # The Ctrl-C of a terminal is for us, who then end what it keeps in good order.
            start_new_session=True,
        )


def main(run: Path, command: list[str]) -> int:
    """Run the command until it ends or the owner does."""
    engine = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    ended = os.pidfd_open(engine.pid)
    ready, _, _ = select.select([sys.stdin, ended], [], [])
    orphaned = ended not in ready
    if orphaned:
        _kill(run, engine)
    status = engine.wait()
    if orphaned:
        rundir.remove(run)
    else:
        cgroups.remove(run.name)
    return status


def _kill(run: Path, engine: subprocess.Popen[bytes]) -> None:
    # The end of the first process of a PID namespace is the end of all of them, and its parent, which we
    # wait for, outlives them. Before it has written its id, ending the parent does the same.
    try:
        os.kill(int((run / PID_FILE).read_text()), signal.SIGKILL)
    except (OSError, ValueError):
        with contextlib.suppress(ProcessLookupError):
            engine.kill()
    cgroups.thaw(run.name)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
