"""What may stand for a value on the command line, as a shell completes it."""

import argparse
from typing import Literal

Value = Literal["file", "name"]
_FILES = ("FILE", "PLAN", "PATH", "FOLDER")


def value_of(verb: str, argument: argparse.Action) -> Value | None:
    """Return whether an argument takes a file or the name of an object; None for neither. What stands before a verb has
    the verb ""."""
    if verb == "explain" and argument.metavar == "OBJECT":
        return "name"
    return "file" if argument.metavar in _FILES else None
