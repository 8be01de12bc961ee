"""The folders of containerds whose settings name another than the usual one: no API tells it.

containerd reads `root` from /etc/containerd/config.toml, or from the file that its command line names; `--root` there
goes before (cmd/containerd/command/main.go).
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dockersweep.engine.disk.processes import PROC, Process, processes_of
from dockersweep.files import read_configuration

_SETTINGS = "/etc/containerd/config.toml"
_LARGEST_BYTES = 1_000_000


def moved_containerds(proc: Path = PROC) -> Iterator[Path]:
    """Yield the folders that the containerds of this machine name, where that can be seen."""
    for process in processes_of("containerd", proc):
        root = process.option(("--root", "-root")) or _root_in_settings(process)
        if root is not None and root.startswith("/"):
            yield Path(root)


def _root_in_settings(process: Process) -> str | None:
    # Few containerds are moved, and it takes long to import.
    import tomllib

    settings = process.option(("--config", "-config", "-c")) or _SETTINGS
    with suppress(OSError, ValueError):
        text = read_configuration(process.root / settings.lstrip("/"), _LARGEST_BYTES).decode()
        root = tomllib.loads(text).get("root")
        return root if isinstance(root, str) else None
    return None
