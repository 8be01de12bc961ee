"""The stores of containerds and Podmans whose settings name other folders than the usual ones: no API tells it.

containerd reads `root` from /etc/containerd/config.toml, or from the file that its command line names; `--root` there
goes before (cmd/containerd/command/main.go). Podman has `imagestore` in storage.conf, and `--imagestore` goes before
(tried on 5.8 and 6.1): images and their layers lie there, all else in its graph root.
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
    """Yield the folders that the containerds of this machine name, where that can be seen."""
    for process in processes_of("containerd", proc):
        settings = process.option(("--config", "-config", "-c")) or _CONTAINERD_SETTINGS
        yield from _folder(process.option(("--root", "-root")) or _setting(process, settings, "root"))


def image_stores(graph_root: Path, proc: Path = PROC) -> Iterator[Path]:
    """Yield the folders that the Podmans which have this graph root name for their images, where that can be seen."""
    for process in processes_of("podman", proc):
        own = process.option(("--root",)) or _of_storage(process, "graphroot") or _GRAPH_ROOT
        if own == str(graph_root):
            yield from _folder(process.option(("--imagestore",)) or _of_storage(process, "imagestore"))


def _of_storage(process: Process, name: str) -> object:
    told = (_setting(process, settings, "storage", name) for settings in _STORAGE_SETTINGS)
    return next(filter(None, told), None)


def _folder(told: object) -> Iterator[Path]:
    if isinstance(told, str) and told.startswith("/"):
        yield Path(told)


def _setting(process: Process, settings: str, *keys: str) -> object:
    """Return what a file of settings, as a process sees it, has below these keys; None where it has nothing."""
    # Few stores are moved, and it takes long to import.
    import tomllib

    told: object = None
    with suppress(OSError, ValueError):
        told = tomllib.loads(read_configuration(process.root / settings.lstrip("/"), _LARGEST_BYTES).decode())
        for key in keys:
            told = told.get(key) if isinstance(told, dict) else None
    return told
