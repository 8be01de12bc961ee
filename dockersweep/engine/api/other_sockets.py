"""Where else an engine may listen, for somebody whose default socket is not there."""

import os
import stat
from collections.abc import Mapping

_OF_USER = ("docker.sock", "podman/podman.sock")
_OF_SYSTEM = "/run/podman/podman.sock"


def other_sockets(environment: Mapping[str, str]) -> list[str]:
    """Return the paths of the sockets of a rootless docker, of podman and of root's podman that are there."""
    folder = environment.get("XDG_RUNTIME_DIR")
    of_user = [os.path.join(folder, name) for name in _OF_USER] if folder else []
    return [path for path in (*of_user, _OF_SYSTEM) if _is_socket(path)]


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False
