"""Where else an engine may listen, for somebody whose default socket is not there."""

import os
import stat
from collections.abc import Mapping
from contextlib import suppress

_OF_USER = ("docker.sock", "podman/podman.sock")
_OF_SYSTEM = "/run/podman/podman.sock"
_IN_HOME = (".docker/run/docker.sock", ".orbstack/run/docker.sock", ".rd/docker.sock")
"""Of Docker Desktop on a Mac, of OrbStack, and of Rancher Desktop."""
_COLIMA = ".colima"
"""It has a folder for each profile of Colima (abiosoft/colima, docs/FAQ.md)."""


def other_sockets(environment: Mapping[str, str]) -> list[str]:
    """Return the paths of the sockets of a rootless docker, of podman and of root's podman that are there."""
    folder = environment.get("XDG_RUNTIME_DIR")
    of_user = [os.path.join(folder, name) for name in _OF_USER] if folder else []
    return [path for path in (*of_user, _OF_SYSTEM) if _is_socket(path)]


def sockets_in_home(home: str) -> list[str]:
    """Return the paths of the sockets below a home folder that Docker Desktop, OrbStack, Colima and Rancher Desktop
    make; of several paths that lead to one socket the first."""
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
