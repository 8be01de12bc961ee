"""Where results go: standard output, or a file that is replaced in one step."""

import contextlib
import errno
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path

from dockersweep.errors import OutputError
from dockersweep.files import is_folder, state_of

_OPENED: dict[str, int] = {}
"""Pipes and devices that `check_writable` has opened, by their paths."""


LONGEST_PREFIX = 48
"""In letters, of which each takes up to four bytes in a name."""


def terminal_width(path: str | None) -> int | None:
    """Return the columns that a table may take: those of the terminal or of COLUMNS; None where it is not shown on
    one, so that a file or a pipe gets whole names."""
    if path in (None, "-") and (sys.stdout.isatty() or os.environ.get("COLUMNS")):
        return max(40, shutil.get_terminal_size().columns)
    return None


def check_writable(path: str | None) -> None:
    """Raise OutputError where a result could not be written to the path: before something is done that it tells."""
    if path is None or path == "-":
        return
    try:
        if is_folder(path) or _names_a_folder(path):
            raise IsADirectoryError(errno.EISDIR, "Is a directory")
        if _is_standard_output(path):
            return
        if _is_no_plain_file(path):
            # Nobody may be reading a pipe; it is better to fail now than to wait for a reader afterwards. It is kept
            # open, because to its reader the end of the only writer is the end.
            _OPENED[path] = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            return
        with tempfile.NamedTemporaryFile(dir=Path(path).resolve().parent):
            pass
    except (OSError, RuntimeError, ValueError) as error:
        raise _unwritable(path, error) from None


def write_result(text: str, path: str | None) -> None:
    """Write a result to a file, or to standard output where no path is given.

    The file is replaced in one step, so that a reader finds the old or the new, never a half. Raises OutputError
    where it cannot be written.
    """
    if path is None or path == "-":
        _write_standard_output(text)
        return
    try:
        if _names_a_folder(path):
            raise IsADirectoryError(errno.EISDIR, "Is a directory")
        if _is_standard_output(path):
            _write_standard_output(text)
        elif _is_no_plain_file(path):
            _write_device(path, text)
        else:
            _replace_file(Path(path).resolve(), text)
    except (OSError, RuntimeError, ValueError) as error:
        raise _unwritable(path, error) from None


def _write_device(path: str, text: str) -> None:
    descriptor = _OPENED.pop(path, None)
    if descriptor is None:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    os.set_blocking(descriptor, True)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _unwritable(path: str, error: Exception) -> OutputError:
    """A path that loops or holds a NUL is no OSError to Python."""
    return OutputError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}")


def _write_standard_output(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer would fail once more when Python closes the stream, and take the exit status.
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            # The reader has seen enough (`| head`).
            return
        raise OutputError(f"standard output cannot be written: {error.strerror}") from None


def _names_a_folder(path: str) -> bool:
    """Resolving a path drops the slash at its end, and would make a file of what was meant to be a folder."""
    return path.endswith("/") or not path


def _is_standard_output(path: str) -> bool:
    """Whether a path, like /dev/stdout, is the plain file that standard output goes to already: put in its place, a new
    file would take away what others have written there, and what they go on to write."""
    try:
        out = os.fstat(sys.stdout.fileno())
        return stat.S_ISREG(out.st_mode) and os.path.samestat(os.stat(path), out)
    except (OSError, ValueError):
        return False


def _is_no_plain_file(path: str) -> bool:
    """A device or a pipe is written to; replacing it would take it away."""
    found = state_of(path)
    return found is not None and not stat.S_ISREG(found.st_mode)


def _replace_file(path: Path, text: str) -> None:
    former = state_of(path)
    # A name may be as long as the file system takes, and this one is longer.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:LONGEST_PREFIX]}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            _take_place_of(former, file.fileno())
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _take_place_of(former: os.stat_result | None, descriptor: int) -> None:
    """Give a file the owner and the mode of the one that it replaces: who reads it may be allowed to by these.

    By its descriptor, because whoever owns the folder can put a link to another file in the place of its name.
    """
    if former is None:
        os.fchmod(descriptor, 0o666 & ~_umask())
        return
    mode = former.st_mode & 0o777
    try:
        os.fchown(descriptor, former.st_uid, former.st_gid)
    except OSError:
        # Only root can give a file away; what its group was allowed is not for another one.
        if os.fstat(descriptor).st_gid != former.st_gid:
            mode &= ~stat.S_IRWXG
    os.fchmod(descriptor, mode)


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
