"""Where results go: standard output, or a file that is replaced in one step.

A result on standard output needs none of `tempfile`, `pathlib` and `shutil`, which take longer to import than all that
is here.
"""

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Sequence

from dockersweep.commands.options import OutputOptions
from dockersweep.errors import OutputError
from dockersweep.files import is_folder, state_of

_WITHOUT_SENTENCES = ("csv", "prometheus")
LONGEST_PREFIX = 48
"""In letters, of which each takes up to four bytes in a name."""


def terminal_width(path: str | None) -> int | None:
    """Return the columns that a table may take: those of the terminal or of COLUMNS; None where it is not shown on
    one, so that a file or a pipe gets whole names."""
    if path in (None, "-") and (sys.stdout.isatty() or os.environ.get("COLUMNS")):
        import shutil

        return max(40, shutil.get_terminal_size().columns)
    return None


class Destination:
    """Where a result goes: a path, or standard output where that is None or "-"."""

    def __init__(self, path: str | None) -> None:
        self._path = None if path == "-" else path
        self._opened: int | None = None
        """A pipe or a device that `check` has opened."""

    def check(self) -> None:
        """Raise OutputError where a result could not be written there: before something is done that it tells."""
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
                # Nobody may be reading a pipe; it is better to fail now than to wait for a reader afterwards. It is
                # kept open, because to its reader the end of the only writer is the end.
                self._opened = _open_device(path)
                return
            with tempfile.NamedTemporaryFile(dir=Path(path).resolve().parent):
                pass
        except (OSError, RuntimeError, ValueError) as error:
            raise _unwritable(path, error) from None

    def write(self, text: str, mode: int | None = None) -> None:
        """Write the result, once.

        A file is replaced in one step, so that a reader finds the old or the new, never a half. It gets the mode; None
        is that of the file it replaces, else what the umask leaves. Raises OutputError where it cannot be written.
        """
        path = self._path
        if path is None:
            _write_standard_output(text)
            return
        try:
            if _names_a_folder(path):
                raise IsADirectoryError(errno.EISDIR, "Is a directory")
            if _is_standard_output(path):
                _write_standard_output(text)
            elif _is_no_plain_file(path):
                self._write_device(path, text)
            else:
                _replace_file(path, text, mode)
        except (OSError, RuntimeError, ValueError) as error:
            raise _unwritable(path, error) from None

    def _write_device(self, path: str, text: str) -> None:
        descriptor, self._opened = self._opened, None
        if descriptor is None:
            descriptor = _open_device(path)
        os.set_blocking(descriptor, True)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)


def write_result(text: str, path: str | None, mode: int | None = None) -> None:
    """Write a result to a path, with a mode as in `Destination.write`, or to standard output; raises OutputError where
    it cannot be written."""
    Destination(path).write(text, mode)


def write_aside(text: str) -> None:
    """Write to standard error what the result has no place for; nothing depends on whether somebody takes it."""
    with contextlib.suppress(OSError):
        sys.stderr.write(text)


def write_problems(sentences: Sequence[str], output: OutputOptions, *, is_in_result: bool = True) -> None:
    """Write what needs a person to standard error, a line each, so that `>/dev/null` leaves just that.

    Where both streams are one, as on a terminal, what `is_in_result` there is not said twice. CSV and metrics have no
    place for sentences, and so never have it.
    """
    if not sentences or (is_in_result and is_read_in_result(output)):
        return
    from dockersweep.report.local_time import in_local_time
    from dockersweep.report.text import printable

    write_aside("".join(f"{printable(in_local_time(sentence))}\n" for sentence in sentences))


def is_written(output: OutputOptions, *, has_news: bool, only_problems: bool) -> bool:
    """Whether there is a result to write: a file always gets it."""
    return output.goes_to_file or (has_news and not only_problems)


def is_read_in_result(output: OutputOptions) -> bool:
    """Whether who reads standard error has read the result just before."""
    return output.format not in _WITHOUT_SENTENCES and not output.goes_to_file and streams_are_one()


def streams_are_one() -> bool:
    """Whether standard output and standard error are the same terminal, pipe or file, as for the mail of cron."""
    try:
        return os.path.samestat(os.fstat(sys.stdout.fileno()), os.fstat(sys.stderr.fileno()))
    except (OSError, ValueError):
        return False


def _open_device(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)


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
    state = state_of(path)
    return state is not None and not stat.S_ISREG(state.st_mode)


def _replace_file(named: str, text: str, mode: int | None) -> None:
    import tempfile
    from pathlib import Path

    path = Path(named).resolve()
    former = state_of(path)
    # The temporary name is longer, and a name may be as long as the file system allows already.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:LONGEST_PREFIX]}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
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
