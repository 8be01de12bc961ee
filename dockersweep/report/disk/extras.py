"""What to say where the libraries of a format are not installed, which not everybody needs."""

import shlex
import sys


def not_installed(format_name: str, *libraries: str) -> str:
    """Return which libraries a format needs, and the command that installs them where dockersweep itself lies."""
    pip = f"{shlex.quote(sys.executable)} -m pip install {' '.join(libraries)}"
    what = "which is" if len(libraries) == 1 else "which are"
    return f"the {format_name} format needs {' and '.join(libraries)}, {what} not installed; this does it: {pip}"
