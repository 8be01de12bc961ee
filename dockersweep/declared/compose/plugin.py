"""What docker's own compose plugin says a project declares, where it is installed and may be run.

It runs without network, so that it fetches nothing, and only on files that root alone can change: it reads everything
they refer to with our privileges.
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
"""Where docker's client looks for system-wide plugins."""
_UNSHARE = "/usr/bin/unshare"
TIMEOUT_SECONDS = 20.0
LONGEST_ANSWER = 300


class PluginError(Exception):
    """The plugin does not answer, or refuses the project; the text says why."""


class PluginTimeoutError(PluginError):
    """The plugin does not answer in time."""


class Plugin(Struct, frozen=True):
    """The plugin's path and the stamp of its file."""

    path: str
    stamp: tuple[int, ...]


def find_plugin(folders: tuple[str, ...] = PLUGIN_FOLDERS) -> Plugin | None:
    """Return the plugin; None if there is none that only root can change, or no `unshare` to cut its network."""
    if not _is_roots(_UNSHARE):
        return None
    for folder in folders:
        # The real path: a link could point elsewhere by the time it is run.
        path = os.path.realpath(os.path.join(folder, "docker-compose"))
        if _is_roots(folder) and _is_roots(path) and os.access(path, os.X_OK):
            stamp = stamp_of(state_of(path))
            return None if stamp is None else Plugin(path, stamp)
    return None


def ask_plugin(plugin: Plugin, project: ComposeProject, environment: Mapping[str, str]) -> tuple[Declared, ...]:
    """Return what the plugin says a project declares; of volumes and networks, only those that a service uses. Empty
    where it cannot be cut off the network. Raises PluginError."""
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
        # Namespaces are not allowed here, as in a systemd unit with RestrictNamespaces.
        return ()
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise PluginError(lines[-1][:LONGEST_ANSWER])
    try:
        config = msgspec.json.decode(done.stdout, type=_Config)
    except msgspec.DecodeError as error:
        raise PluginError(f"its answer is not understood: {error}") from None
    return tuple(dict.fromkeys(_declared(config, project)))


class _Build(Struct, frozen=True):
    tags: list[str] | None = None


class _Service(Struct, frozen=True):
    image: str | None = None
    build: _Build | None = None
    volumes: list[dict[str, Any]] | None = None


class _Resource(Struct, frozen=True):
    name: str | None = None


class _Config(Struct, frozen=True):
    name: str
    services: dict[str, _Service] | None = None
    volumes: dict[str, _Resource] | None = None
    networks: dict[str, _Resource] | None = None


def _declared(config: _Config, project: ComposeProject) -> Iterator[Declared]:
    def of(kind: DeclaredKind, name: str, by: str | None = None) -> Declared:
        # The plugin escapes dollars, so that compose can read its output again.
        plain = name.replace("$$", "$")
        return Declared(kind=kind, name=plain, path=project.files[0], project=config.name, by=by)

    for name, service in (config.services or {}).items():
        by = f"service {name}"
        if service.image:
            yield of("image", service.image, by)
        elif service.build is not None:
            yield of("image", f"{config.name}-{name}", by)
        for tag in (service.build and service.build.tags) or ():
            yield of("image", tag, by)
        for mount in service.volumes or ():
            if mount.get("type") == "image" and isinstance(mount.get("source"), str):
                yield of("image", mount["source"], by)
    for resource in (config.volumes or {}).values():
        if resource.name:
            yield of("volume", resource.name)
    for resource in (config.networks or {}).values():
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
