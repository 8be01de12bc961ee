"""Reads files that decide what is removed: whoever can write one decides what root removes."""

import os
import sys

from dockersweep.errors import DockersweepError
from dockersweep.files import OddFileError, is_writable_by_others, open_named, read_bounded, read_up_to


def read_trusted(path: str, what: str, largest_bytes: int, error_type: type[DockersweepError]) -> bytes:
    """Return the content of a file (`-` is standard input); errors call it `what`.

    As root, refuses a file that others can write; standard input is the caller's responsibility. Raises `error_type`
    for that, and where it cannot be read or is larger than `largest_bytes`.
    """
    try:
        if path == "-":
            return read_up_to(sys.stdin.buffer, path, largest_bytes)
        with open_named(path) as descriptor:
            distrust = _why_untrusted(os.fstat(descriptor), path) if os.geteuid() == 0 else None
            if distrust is not None:
                raise error_type(f"the {what} {path} {distrust}")
            return read_bounded(descriptor, path, largest_bytes)
    except OddFileError as error:
        raise error_type(f"the {what} {path} {error.strerror}") from None
    except (OSError, ValueError) as error:
        raise error_type(f"the {what} {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _why_untrusted(state: os.stat_result, path: str) -> str | None:
    danger = "who could have root remove what they like; if it is right: "
    if state.st_uid != 0:
        return f"belongs to the user {state.st_uid}, {danger}chown root {path}"
    if is_writable_by_others(state):
        return f"can be written by others than root, {danger}chmod go-w {path}"
    return None
