"""Whether an engine is one that the project's own tests or the sandbox started, and that ends with them."""

import os
import stat
from collections.abc import Collection
from pathlib import Path

MARKER_FILE = ".dockersweep-throw-away"
"""In the engine's data root."""
MARKER_LABEL = "dockersweep.throw-away=true"
"""A label of the engine itself (`dockerd --label`), which /info tells from afar. Podman has none."""


def is_throw_away(root_dir: str | None, labels: Collection[str]) -> bool:
    """Return whether the engine carries either mark. A data root that cannot be searched holds none: in doubt an engine
    is one that people need."""
    if MARKER_LABEL in labels:
        return True
    if root_dir is None:
        return False
    try:
        return stat.S_ISREG(os.lstat(Path(root_dir, MARKER_FILE)).st_mode)
    except (OSError, ValueError):
        return False
