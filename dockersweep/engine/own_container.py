"""The container that dockersweep itself runs in."""

import re
from pathlib import Path

_CONTAINER_ID = re.compile(
    r"/containers/(?:overlay-containers/)?([0-9a-f]{64})/|(?:docker|libpod)[-/]([0-9a-f]{64})|overlay-containers/([0-9a-f]{64})/"
)


def own_container_id(proc: Path = Path("/proc/self")) -> str | None:
    """Return the full id of the container that this process runs in, None outside of one.

    The control group tells it on control groups v1; on v2 the engine's bind mounts of hostname and resolv.conf do.
    """
    for file in ("cgroup", "mountinfo"):
        try:
            text = (proc / file).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        found = _CONTAINER_ID.search(text)
        if found:
            return next(group for group in found.groups() if group)
    return None
