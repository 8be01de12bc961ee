"""The container that dockersweep itself runs in."""

import re
from pathlib import Path

_IN_CGROUP = re.compile(r"(?:docker|libpod)[-/]([0-9a-f]{64})")
_IN_SOURCE = re.compile(r"containers/([0-9a-f]{64})/")
# The engine binds these of its own files into a container. On a host other mounts name containers too.
_OF_A_CONTAINER = frozenset({"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"})


def own_container_id(proc: Path = Path("/proc/self")) -> str | None:
    """Return the full id of the container that this process runs in, None outside of one.

    The control group tells it on control groups v1; on v2 the engine's bind mounts of hostname and resolv.conf do.
    """
    found = _IN_CGROUP.search(_read(proc / "cgroup"))
    for line in _read(proc / "mountinfo").splitlines():
        fields = line.split(" ")
        if found is None and len(fields) > 4 and fields[4] in _OF_A_CONTAINER:
            found = _IN_SOURCE.search(fields[3])
    return None if found is None else found[1]


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
