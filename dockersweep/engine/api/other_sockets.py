"""Where else an engine may listen, if the default socket does not exist."""

import os
import stat
from collections.abc import Mapping
from contextlib import suppress

_OF_USER = ("docker.sock", "podman/podman.sock")
_OF_SYSTEM = "/run/podman/podman.sock"
_IN_HOME = (".docker/run/docker.sock", ".orbstack/run/docker.sock", ".rd/docker.sock")
"""The sockets of Docker Desktop on a Mac, OrbStack and Rancher Desktop."""
_COLIMA = ".colima"
"""It has a folder for each profile of Colima (abiosoft/colima, docs/FAQ.md)."""


def other_sockets(environment: Mapping[str, str]) -> list[str]:
    """Return the existing sockets of rootless docker, podman, and root's podman."""
    folder = environment.get("XDG_RUNTIME_DIR")
    of_user = [os.path.join(folder, name) for name in _OF_USER] if folder else []
    return [path for path in (*of_user, _OF_SYSTEM) if _is_socket(path)]


def sockets_in_home(home: str) -> list[str]:
    """Return the existing sockets of Docker Desktop, OrbStack, Colima and Rancher Desktop in a home folder; each socket
    once, by its first path."""
    sockets: dict[str, str] = {}
    profiles: list[str] = []
    with suppress(OSError):
        profiles = [f"{_COLIMA}/{name}/docker.sock" for name in sorted(os.listdir(os.path.join(home, _COLIMA)))]
    for path in (os.path.join(home, name) for name in (*_IN_HOME, *profiles)):
        if _is_socket(path):
            sockets.setdefault(os.path.realpath(path), path)
    return list(sockets.values())


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False
