"""The size of a container's log, where its files can be accessed: no engine reports it (moby#44445).

The log is deleted with the container. No file is opened here; only lengths are read.
"""

import os
import stat
from pathlib import Path

# These drivers keep nothing on the engine's disk that is deleted with the container.
_ELSEWHERE = frozenset(
    {"none", "journald", "syslog", "fluentd", "gelf", "awslogs", "splunk", "gcplogs", "etwlogs", "passthrough"}
)


def hidden_log_path(driver: str | None, container_id: str, root_dir: str | None) -> str | None:
    """Return the log path of the `local` driver, which no engine reports (moby: daemon/logger/local); None for all
    other drivers."""
    if driver != "local" or root_dir is None:
        return None
    return str(Path(root_dir, "containers", container_id, "local-logs", "container.log"))


def log_bytes(driver: str | None, path: str | None, is_local: bool) -> int | None:
    """Return the total length of the log file and its rotated files; None if unknown, or if one is not a regular file.

    `is_local` is whether the engine's files can be on this machine at all.
    """
    if driver in _ELSEWHERE:
        return 0
    if not path or not is_local:
        return None
    file = Path(path)
    try:
        states = [os.lstat(file.parent / name) for name in os.listdir(file.parent) if name.startswith(file.name)]
    except OSError:
        return None
    return sum(state.st_size for state in states) if all(stat.S_ISREG(state.st_mode) for state in states) else None
