"""Files that decide what root does: who can write a policy decides what it removes, and who can write a program that
it runs decides everything.
"""

import os
import stat
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


def why_untrusted_program(path: str) -> str | None:
    """Return why root should not run a program, given by its path without links: others can write it, or anybody can
    replace it; None where neither is so. Raises OSError where that cannot be known."""
    distrust = _why_untrusted(os.stat(path), path, "do")
    if distrust is not None:
        return f"{path} {distrust}"
    folder = path
    while folder != "/":
        folder = os.path.dirname(folder)
        state = os.stat(folder)
        # Debian lets the group staff, which is as good as root, write in /usr/local.
        is_open = bool(state.st_mode & stat.S_IWOTH) and not state.st_mode & stat.S_ISVTX
        if is_open or state.st_uid != 0:
            return f"{path} can be replaced by others than root, who can write in {folder}: install it elsewhere"
    return None


def _why_untrusted(state: os.stat_result, path: str, does: str = "remove") -> str | None:
    danger = f"who could have root {does} what they like; if it is right: "
    if state.st_uid != 0:
        return f"belongs to the user {state.st_uid}, {danger}chown root {path}"
    if is_writable_by_others(state):
        return f"can be written by others than root, {danger}chmod go-w {path}"
    return None
