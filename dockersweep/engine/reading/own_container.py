"""The container that dockersweep itself runs in."""

import re
from pathlib import Path

_IN_CGROUP = re.compile(r"(?:docker|libpod)[-/]([0-9a-f]{64})")
_IN_SOURCE = re.compile(r"containers/([0-9a-f]{64})/")
# The engine mounts its own versions of these files into a container. On a host, other mounts name containers too.
_OF_A_CONTAINER = frozenset({"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"})


def own_container_id(proc: Path = Path("/proc/self")) -> str | None:
    """Return the full id of the container that this process runs in; None outside of one.

    With cgroups v1 it is in the cgroup's name; with v2 in the sources of the engine's bind mounts.
    """
    match = _IN_CGROUP.search(_read(proc / "cgroup"))
    for line in _read(proc / "mountinfo").splitlines():
        fields = line.split(" ")
        if match is None and len(fields) > 4 and fields[4] in _OF_A_CONTAINER:
            match = _IN_SOURCE.search(fields[3])
    return None if match is None else match[1]


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
