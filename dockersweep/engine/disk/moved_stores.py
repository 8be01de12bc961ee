"""Finds the stores of containerds and Podmans whose settings move them to unusual folders: no API shows that.

containerd reads `root` from /etc/containerd/config.toml, or from the file on its command line, where `--root` takes
precedence (cmd/containerd/command/main.go). Podman has `imagestore` in storage.conf, over which `--imagestore` takes
precedence (tried on 5.8 and 6.1): it holds images and their layers; everything else is in the graph root.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dockersweep.engine.disk.processes import PROC, Process, processes_of
from dockersweep.files import read_configuration

_CONTAINERD_SETTINGS = "/etc/containerd/config.toml"
_GRAPH_ROOT = "/var/lib/containers/storage"
_STORAGE_SETTINGS = ("/etc/containers/storage.conf", "/usr/share/containers/storage.conf")
_LARGEST_BYTES = 1_000_000


def moved_containerds(proc: Path = PROC) -> Iterator[Path]:
    """Yield the configured folders of this machine's containerds, as far as visible."""
    for process in processes_of("containerd", proc):
        settings = process.option(("--config", "-config", "-c")) or _CONTAINERD_SETTINGS
        yield from _folder(process.option(("--root", "-root")) or _setting(process, settings, "root"))


def image_stores(graph_root: Path, proc: Path = PROC) -> Iterator[Path]:
    """Yield the configured image stores of Podmans with this graph root, as far as visible."""
    for process in processes_of("podman", proc):
        own = process.option(("--root",)) or _of_storage(process, "graphroot") or _GRAPH_ROOT
        if own == str(graph_root):
            yield from _folder(process.option(("--imagestore",)) or _of_storage(process, "imagestore"))


def _of_storage(process: Process, name: str) -> object:
    values = (_setting(process, settings, "storage", name) for settings in _STORAGE_SETTINGS)
    return next(filter(None, values), None)


def _folder(setting: object) -> Iterator[Path]:
    if isinstance(setting, str) and setting.startswith("/"):
        yield Path(setting)


def _setting(process: Process, settings: str, *keys: str) -> object:
    """Return the value below these keys in a settings file, as the process sees it; None if there is none."""
    # Imported late: it takes long, and few stores are moved.
    import tomllib

    setting: object = None
    with suppress(OSError, ValueError):
        setting = tomllib.loads(read_configuration(process.root / settings.lstrip("/"), _LARGEST_BYTES).decode())
        for key in keys:
            setting = setting.get(key) if isinstance(setting, dict) else None
    return setting
