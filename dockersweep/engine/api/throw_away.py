"""Recognizes engines that the project's tests or the sandbox started, and that end with them."""

import os
import stat
from collections.abc import Collection
from pathlib import Path

MARKER_FILE = ".dockersweep-throw-away"
"""In the engine's data root."""
MARKER_LABEL = "dockersweep.throw-away=true"
"""A label of the engine itself (`dockerd --label`), which /info shows remotely too. Podman has none."""


def is_throw_away(root_dir: str | None, labels: Collection[str]) -> bool:
    """Return whether the engine has either mark; False where its data root cannot be searched: when in doubt, people
    need the engine."""
    if MARKER_LABEL in labels:
        return True
    if root_dir is None:
        return False
    try:
        return stat.S_ISREG(os.lstat(Path(root_dir, MARKER_FILE)).st_mode)
    except (OSError, ValueError):
        return False
