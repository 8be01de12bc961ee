"""The files that a policy names: paths in which `*`, `?` and `[...]` match within one path component."""

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from dockersweep.declared.faults import fault
from dockersweep.errors import DeclaredFileError
from dockersweep.files import state_of, what_is_wrong

MOST_PATHS = 10_000
_GLOB = re.compile(r"[*?\[]")


def is_pattern(path: str) -> bool:
    """Return whether a path may match several files."""
    return _GLOB.search(path) is not None


def matching(pattern: str) -> list[str]:
    """Return the existing paths that a path or pattern matches, in order. A plain path must exist.

    Raises DeclaredFileError where it does not, and where a folder on the way cannot be read.
    """
    path = os.path.expanduser(pattern)
    if not os.path.isabs(path):
        raise DeclaredFileError(f"{pattern}: not an absolute path")
    if not is_pattern(path):
        if _state(path) is None:
            raise fault(path, None, "does not exist, but the policy names it")
        return [os.path.normpath(path)]
    paths: list[str] = []
    for match in _below("/", [part for part in path.split("/") if part]):
        paths.append(match)
        if len(paths) > MOST_PATHS:
            raise DeclaredFileError(f"{pattern}: it matches more than {MOST_PATHS} files")
    return paths


def _below(folder: str, parts: list[str]) -> Iterator[str]:
    if not parts:
        yield folder
        return
    first, rest = parts[0], parts[1:]
    if not is_pattern(first):
        path = os.path.join(folder, first)
        if rest or _state(path) is not None:
            yield from _below(path, rest)
        return
    for name in _names(folder):
        # As in a shell, a hidden name matches only a pattern that begins with a dot.
        if fnmatchcase(name, first) and (first.startswith(".") or not name.startswith(".")):
            yield from _below(os.path.join(folder, name), rest)


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _unreadable(folder, error) from None


def _state(path: str) -> os.stat_result | None:
    try:
        return state_of(path)
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: str, error: OSError) -> DeclaredFileError:
    return fault(path, None, f"cannot be read: {what_is_wrong(error).removeprefix(path).removeprefix(':').strip()}")
