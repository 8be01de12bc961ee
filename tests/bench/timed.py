"""Runs one command and tells, as JSON, how long it took and what it used.

    python -I timed.py LIMIT_SECONDS OUTPUT COMMAND ...

It is a small process of its own, because the peak memory of a child starts from that of its parent.
"""

import json
import os
import signal
import sys
import time

_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def main(limit: str, output: str, *command: str) -> None:
    """Run the command, with what it says in the file OUTPUT and its errors in OUTPUT.errors."""
    files = [
        (os.POSIX_SPAWN_OPEN, 1, output, _WRITE, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, f"{output}.errors", _WRITE, 0o600),
    ]
    began = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ, file_actions=files)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(process, signal.SIGKILL))
    signal.alarm(int(limit))
    _, status, used = os.wait4(process, 0)
    wall = time.perf_counter() - began
    told = {
        "status": os.waitstatus_to_exitcode(status),
        "wall": wall,
        "processor": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss * 1024,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
