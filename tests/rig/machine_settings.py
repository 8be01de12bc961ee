"""Docker's settings on this machine, as far as this process and what it starts are concerned."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_ETC = "/etc"


@contextmanager
def docker_settings(settings: Mapping[str, object]) -> Iterator[None]:
    """Let /etc/docker/daemon.json say this: mounted where others do not see it (see engines/disks.py), as root."""
    with tempfile.TemporaryDirectory(prefix="dsw-etc-") as folder:
        upper, work = Path(folder, "upper"), Path(folder, "work")
        work.mkdir()
        (upper / "docker").mkdir(parents=True)
        (upper / "docker" / "daemon.json").write_text(json.dumps(settings))
        options = f"lowerdir={_ETC},upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", _ETC], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", _ETC], check=True)
