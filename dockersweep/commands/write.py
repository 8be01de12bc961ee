"""Writes results to standard output, or to a file that is replaced in one step.

`tempfile`, `pathlib` and `shutil` are imported late: a result on standard output does not need them, and they take
longer to import than the rest of this module.
"""

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence

from dockersweep.commands.options import OutputOptions
from dockersweep.errors import OutputError
from dockersweep.files import is_folder, state_of

_WITHOUT_SENTENCES = ("csv", "prometheus")
LONGEST_PREFIX = 48
"""In characters, each of which takes up to four bytes in a file name."""


def terminal_width(path: str | None) -> int | None:
    """Return the columns that a table may take: the terminal's, or COLUMNS. None if it is not shown on a terminal: a
    file or a pipe gets whole names."""
    if path in (None, "-") and (sys.stdout.isatty() or os.environ.get("COLUMNS")):
        import shutil

        return max(40, shutil.get_terminal_size().columns)
    return None


class Destination:
    """The destination of a result: a path, or standard output for None and "-"."""

    def __init__(self, path: str | None) -> None:
        self._path = None if path == "-" else path
        self._opened: int | None = None
        """A pipe or a device that `check` has opened."""

    def check(self) -> None:
        """Raise OutputError if a result cannot be written there; called before the work that the result is about."""
        path = self._path
        if path is None:
            return
        import tempfile
        from pathlib import Path

        try:
            if is_folder(path) or _names_a_folder(path):
                raise IsADirectoryError(errno.EISDIR, "Is a directory")
            if _is_standard_output(path):
                return
            if _is_no_plain_file(path):
                # A pipe may have no reader: better fail now than wait for one afterwards. It is kept open, because its
                # reader sees the end of the file when the only writer closes it.
                self._opened = _open_device(path)
                return
            with tempfile.NamedTemporaryFile(dir=Path(path).resolve().parent):
                pass
        except (OSError, RuntimeError, ValueError) as error:
            raise _unwritable(path, error) from None

    def write(self, text: str | bytes | Iterable[str], mode: int | None = None) -> None:
        """Write the result, once: a text, its parts one after the other, or the bytes of a binary format.

        A file is replaced in one step, so that a reader finds the old or the new one, never half of it. `mode` None is
        that of the replaced file, else the umask's. Raises OutputError where it cannot be written.
        """
        path, parts = self._path, (text,) if isinstance(text, str | bytes) else text
        if path is None:
            _write_standard_output(parts)
            return
        try:
            if _names_a_folder(path):
                raise IsADirectoryError(errno.EISDIR, "Is a directory")
            if _is_standard_output(path):
                _write_standard_output(parts)
            elif _is_no_plain_file(path):
                self._write_device(path, parts)
            else:
                _replace_file(path, parts, mode)
        except (OSError, RuntimeError, ValueError) as error:
            raise _unwritable(path, error) from None

    def _write_device(self, path: str, parts: Iterable[str | bytes]) -> None:
        descriptor, self._opened = self._opened, None
        if descriptor is None:
            descriptor = _open_device(path)
        os.set_blocking(descriptor, True)
        with open(descriptor, "wb") as file:
            file.writelines(_encoded(parts))


def write_result(text: str | bytes, path: str | None, mode: int | None = None) -> None:
    """Write a result to a path or to standard output, as `Destination` does; raises OutputError where it cannot be
    written."""
    Destination(path).write(text, mode)


def write_aside(*sentences: str, folds: bool = True) -> None:
    """Write sentences to standard error, a line each, ignoring errors. On a terminal they are folded to its width;
    `folds` is False if they hold what is to be copied."""
    from dockersweep.report.local_time import in_local_time
    from dockersweep.report.text import fold

    width = _message_width() if folds else None
    with contextlib.suppress(OSError):
        sys.stderr.write("".join(fold(in_local_time(sentence), width, shortens=False) for sentence in sentences))


def _message_width() -> int | None:
    """Return the columns of the terminal that messages go to, or COLUMNS; None if they go to a file or a pipe."""
    if not sys.stderr.isatty():
        return None
    set_by_user = os.environ.get("COLUMNS", "")
    try:
        width = int(set_by_user) if set_by_user.isdecimal() else os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        return None
    return max(40, width) if width else None


def write_problems(sentences: Sequence[str], output: OutputOptions, *, is_in_result: bool = True) -> None:
    """Write what needs a person to standard error, a line each, so that `>/dev/null` leaves only that.

    If both streams are the same, as on a terminal, sentences that are in the result (`is_in_result`) are not repeated.
    CSV and metrics never contain them.
    """
    if not sentences or (is_in_result and is_read_in_result(output)):
        return
    write_aside(*sentences)


def is_written(output: OutputOptions, *, has_news: bool, only_problems: bool) -> bool:
    """Whether the result is written: to a file always."""
    return output.goes_to_file or (has_news and not only_problems)


def is_read_in_result(output: OutputOptions) -> bool:
    """Whether the reader of standard error has just read the result."""
    return output.format not in _WITHOUT_SENTENCES and not output.goes_to_file and streams_are_one()


def streams_are_one() -> bool:
    """Whether standard output and standard error are the same terminal, pipe or file, as under cron."""
    try:
        return os.path.samestat(os.fstat(sys.stdout.fileno()), os.fstat(sys.stderr.fileno()))
    except (OSError, ValueError):
        return False


def _open_device(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def _unwritable(path: str, error: Exception) -> OutputError:
    """Return the OutputError. For a path with a loop of links or a NUL, Python does not raise OSError."""
    return OutputError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}")


def _encoded(parts: Iterable[str | bytes]) -> Iterator[bytes]:
    return (part.encode() if isinstance(part, str) else part for part in parts)


def _write_standard_output(parts: Iterable[str | bytes]) -> None:
    try:
        for part in parts:
            if isinstance(part, bytes):
                sys.stdout.buffer.write(part)
            else:
                sys.stdout.write(part)
        sys.stdout.flush()
    except OSError as error:
        # Otherwise Python fails again when it closes the stream, and changes the exit status.
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            # The reader has seen enough (`| head`).
            return
        raise OutputError(f"standard output cannot be written: {error.strerror}") from None


def _names_a_folder(path: str) -> bool:
    """Whether a path means a folder. Resolving it would drop its trailing slash and turn it into a file."""
    return path.endswith("/") or not path


def _is_standard_output(path: str) -> bool:
    """Whether a path, like /dev/stdout, is the plain file that standard output goes to. Replacing that file would lose
    what others have written and go on writing there."""
    try:
        out = os.fstat(sys.stdout.fileno())
        return stat.S_ISREG(out.st_mode) and os.path.samestat(os.stat(path), out)
    except (OSError, ValueError):
        return False


def is_file_of_its_own(path: str) -> bool:
    """Whether a path is a plain file, and not the one that standard output goes to. Raises OSError where that cannot
    be known."""
    return not (_is_no_plain_file(path) or _is_standard_output(path))


def _is_no_plain_file(path: str) -> bool:
    """Whether a path is a device or a pipe, which must not be replaced."""
    state = state_of(path)
    return state is not None and not stat.S_ISREG(state.st_mode)


def _replace_file(named: str, parts: Iterable[str | bytes], mode: int | None) -> None:
    import tempfile
    from pathlib import Path

    path = Path(named).resolve()
    former = state_of(path)
    # The temporary name is longer, and the name may already be as long as the file system allows.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:LONGEST_PREFIX]}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(_encoded(parts))
            file.flush()
            _take_place_of(former, file.fileno())
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _take_place_of(former: os.stat_result | None, descriptor: int) -> None:
    """Give a file the owner and the mode of the file that it replaces, so that its readers keep their access.

    Uses the descriptor, because the folder's owner could replace the name by a link to another file.
    """
    if former is None:
        os.fchmod(descriptor, 0o666 & ~_umask())
        return
    mode = former.st_mode & 0o777
    try:
        os.fchown(descriptor, former.st_uid, former.st_gid)
    except OSError:
        # Only root can give files away; the rights of the former group are not for another group.
        if os.fstat(descriptor).st_gid != former.st_gid:
            mode &= ~stat.S_IRWXG
    os.fchmod(descriptor, mode)


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
