"""What docker's own compose plugin says of a project, where it is installed and may be run.

It runs without network, so that it fetches nothing, and only for files that root alone can change: it parses all that
they lead to with our rights.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from dockersweep.declared.compose.project import ComposeProject
from dockersweep.declared.followed import stamp_of
from dockersweep.files import is_writable_by_others, state_of
from dockersweep.model.declared import Declared, DeclaredKind

PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
"""Where docker's client looks for plugins of all users."""
_UNSHARE = "/usr/bin/unshare"
TIMEOUT_SECONDS = 20.0
LONGEST_ANSWER = 300


class PluginError(Exception):
    """It does not answer, or refuses the project; the text says why."""


class PluginTimeoutError(PluginError):
    """It does not answer in time."""


class Plugin(Struct, frozen=True):
    """The plugin, and what it looks like."""

    path: str
    stamp: tuple[int, ...]


def find_plugin(folders: tuple[str, ...] = PLUGIN_FOLDERS) -> Plugin | None:
    """Return the plugin; None where there is none that root alone can change, or nothing keeps it off the network."""
    if not _is_roots(_UNSHARE):
        return None
    for folder in folders:
        # A link could be another one by the time that it is run.
        path = os.path.realpath(os.path.join(folder, "docker-compose"))
        if _is_roots(folder) and _is_roots(path) and os.access(path, os.X_OK):
            stamp = stamp_of(state_of(path))
            return None if stamp is None else Plugin(path, stamp)
    return None


def ask_plugin(plugin: Plugin, project: ComposeProject, environment: Mapping[str, str]) -> tuple[Declared, ...]:
    """Return what it says that a project declares; of volumes and networks, only those that a service uses. Nothing
    where it cannot be kept off the network. Raises PluginError."""
    without_network = [_UNSHARE, "--net", *(() if os.geteuid() == 0 else ("--map-root-user",)), "--"]
    flags = [f"--file={path}" for path in project.files]
    flags += [f"--env-file={path}" for path in project.env_files]
    flags += [f"--project-directory={project.folder}", "--profile=*"]
    try:
        done = subprocess.run(
            [*without_network, plugin.path, *flags, "config", "--format", "json"],
            env=dict(environment),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PluginTimeoutError(f"no answer in {TIMEOUT_SECONDS:g} seconds") from None
    except OSError as error:
        raise PluginError(f"it does not run: {error.strerror}") from None
    if done.returncode != 0 and done.stderr.startswith(b"unshare: "):
        # Here nothing may be kept off the network, as in a unit of systemd with RestrictNamespaces.
        return ()
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise PluginError(lines[-1][:LONGEST_ANSWER])
    try:
        told = msgspec.json.decode(done.stdout, type=_Told)
    except msgspec.DecodeError as error:
        raise PluginError(f"its answer is not understood: {error}") from None
    return tuple(dict.fromkeys(_declared(told, project)))


class _Build(Struct, frozen=True):
    tags: list[str] | None = None


class _Service(Struct, frozen=True):
    image: str | None = None
    build: _Build | None = None
    volumes: list[dict[str, Any]] | None = None


class _Resource(Struct, frozen=True):
    name: str | None = None


class _Told(Struct, frozen=True):
    name: str
    services: dict[str, _Service] | None = None
    volumes: dict[str, _Resource] | None = None
    networks: dict[str, _Resource] | None = None


def _declared(told: _Told, project: ComposeProject) -> Iterator[Declared]:
    def of(kind: DeclaredKind, name: str, by: str | None = None) -> Declared:
        # It writes dollars so that compose reads them again.
        plain = name.replace("$$", "$")
        return Declared(kind=kind, name=plain, path=project.files[0], project=told.name, by=by)

    for name, service in (told.services or {}).items():
        by = f"service {name}"
        if service.image:
            yield of("image", service.image, by)
        elif service.build is not None:
            yield of("image", f"{told.name}-{name}", by)
        for tag in (service.build and service.build.tags) or ():
            yield of("image", tag, by)
        for mount in service.volumes or ():
            if mount.get("type") == "image" and isinstance(mount.get("source"), str):
                yield of("image", mount["source"], by)
    for resource in (told.volumes or {}).values():
        if resource.name:
            yield of("volume", resource.name)
    for resource in (told.networks or {}).values():
        if resource.name:
            yield of("network", resource.name)


def _is_roots(path: str) -> bool:
    """Return whether root alone can change a file."""
    here = path
    while True:
        try:
            state = state_of(here)
        except OSError:
            return False
        if state is None or state.st_uid != 0 or is_writable_by_others(state):
            return False
        if here == os.path.dirname(here):
            return True
        here = os.path.dirname(here)
