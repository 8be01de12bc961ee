"""Checks whether a plan can be reviewed here: there must be a terminal, and the libraries for the screen."""

import importlib.util
import os
import sys

from dockersweep.errors import UsageError

_LIBRARIES = ("textual", "tomlkit")
_NO_SCREENS = ("", "dumb", "unknown")
"""Values of TERM for terminals without a full screen."""


def require_screen(*, says_yes: bool = False) -> None:
    """Raise UsageError if no plan can be reviewed here; `says_yes` is whether --yes is given."""
    if says_yes:
        raise UsageError("--interactive asks and --yes does not: leave out one of them")
    # The screen is drawn on standard error, so that a result can go elsewhere.
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("--interactive needs a terminal, for the keys and for the screen")
    if os.environ.get("TERM", "") in _NO_SCREENS:
        raise UsageError(f'--interactive needs a terminal with a screen, and TERM is "{os.environ.get("TERM", "")}"')
    if any(importlib.util.find_spec(library) is None for library in _LIBRARIES):
        raise UsageError("--interactive needs what the extra `tui` installs: pip install '.[tui]' in the checkout")
