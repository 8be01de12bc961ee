"""Reads the command lines of engine processes, for settings that no API shows."""

import contextlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
_ROOT = 0


class Process(NamedTuple):
    """A process of root's."""

    words: tuple[str, ...]
    """Its command line."""
    root: Path
    """Its root folder, as seen from here."""

    def option(self, names: Collection[str]) -> str | None:
        """Return the value of the first option on its command line with one of these names ("--root"); None if there is
        none."""
        words = iter(self.words[1:])
        for word in words:
            name, equals, value = word.partition("=")
            if name in names:
                return value if equals else next(words, None)
        return None


def processes_of(program: str, proc: Path = PROC) -> Iterator[Process]:
    """Yield root's processes that run a program; none where they may not be inspected."""
    with contextlib.suppress(OSError):
        for folder in (proc / name for name in os.listdir(proc) if name.isdigit()):
            with contextlib.suppress(OSError):
                if _runs(folder, program):
                    words = (folder / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
                    yield Process(tuple(map(os.fsdecode, words)), folder / "root")


def _runs(folder: Path, program: str) -> bool:
    is_roots = os.stat(folder).st_uid == _ROOT
    return is_roots and (folder / "comm").read_bytes() == program.encode() + b"\n"
