"""How many bytes the log of a container takes, where its files can be read: no engine tells (moby#44445).

They are freed with the container. Nothing here opens a file; only lengths are asked for.
"""

import os
import stat
from pathlib import Path

# These keep nothing on the engine's disk that goes with the container.
_ELSEWHERE = frozenset(
    {"none", "journald", "syslog", "fluentd", "gelf", "awslogs", "splunk", "gcplogs", "etwlogs", "passthrough"}
)


def hidden_log_path(driver: str | None, container_id: str, root_dir: str | None) -> str | None:
    """Return where the `local` driver keeps the log of a container, which no engine tells (moby: daemon/logger/local);
    None for all other drivers."""
    if driver != "local" or root_dir is None:
        return None
    return str(Path(root_dir, "containers", container_id, "local-logs", "container.log"))


def log_bytes(driver: str | None, path: str | None, is_local: bool) -> int | None:
    """Return the length of the log file and of those it was rotated into; None where that cannot be known, or one of
    them is no plain file.

    `is_local` is whether the engine's files can be ours to read at all.
    """
    if driver in _ELSEWHERE:
        return 0
    if not path or not is_local:
        return None
    file = Path(path)
    try:
        found = [os.lstat(file.parent / name) for name in os.listdir(file.parent) if name.startswith(file.name)]
    except OSError:
        return None
    return sum(one.st_size for one in found) if all(stat.S_ISREG(one.st_mode) for one in found) else None
