"""What is wrong with a declared file, and where."""

from dockersweep.errors import DeclaredFileError


def fault(path: str, line: int | None, text: str) -> DeclaredFileError:
    """Return the error that names file and line; the caller raises it."""
    # Bytes of a path that are no UTF-8 are shown by their codes.
    shown = path.encode("utf-8", "backslashreplace").decode()
    where = shown if line is None else f"{shown}:{line}"
    return DeclaredFileError(f"{where}: {text}")
