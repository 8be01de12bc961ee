"""Puts what was read from a folder into an empty one, with GNU tar, and nowhere else."""

import os
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from dockersweep.archive.attributes import attributes_in, read
from dockersweep.archive.comparing import differing_paths
from dockersweep.archive.manifest import entries_of, linked_in, walk
from dockersweep.archive.programs import Program, running, widen
from dockersweep.errors import ArchiveError
from dockersweep.files import AnyPath, open_folder_inside, what_is_wrong

TAR = (
    "tar", "--extract", "--file=-", "--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner", "--same-owner",
    "--preserve-permissions", "--delay-directory-restore", "--warning=no-timestamp",
)  # fmt: skip
_NO_SPACE, _SOME_SPACE = "No space left on device", "Wrote only "


@contextmanager
def open_empty(path: AnyPath) -> Iterator[int]:
    """Yield a descriptor of an empty folder, on the way to which no link of others was followed. Raises ArchiveError
    where it is not there, or anything is in it."""
    try:
        with open_folder_inside(path) as descriptor:
            inside = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=descriptor)
            try:
                if os.listdir(inside):
                    raise ArchiveError(f"nothing is put into {os.fspath(path)}: it is not empty")
                yield inside
            finally:
                os.close(inside)
    except OSError as error:
        raise ArchiveError(f"nothing can be put back: {what_is_wrong(error)}") from None


def unpack(tar: Iterable[bytes], folder: int) -> None:
    """Put the files of a tar into an open folder. Raises ArchiveError where that fails, and what reading `tar`
    raises."""
    with running(TAR, folder, subprocess.PIPE) as program:
        pipe = program.process.stdin
        assert pipe is not None
        widen(pipe)
        try:
            for data in tar:
                left = memoryview(data)
                while left:
                    left = left[pipe.write(left) :]
            pipe.close()
        except BrokenPipeError:
            # It says why below.
            pass
        _judge(program)


def _judge(program: Program) -> None:
    status = program.end()
    for message, line in program.first.items():
        # It says less where some of a file still had room.
        full = "its disk is full: " if message == _NO_SPACE or message.startswith(_SOME_SPACE) else ""
        raise ArchiveError(f"not everything could be put back: {full}tar: {line}")
    if status:
        raise ArchiveError(f"not everything could be put back: tar ended with status {status}")


def differences(
    folder: int, manifest: Callable[[], Iterable[bytes]], attributes: Callable[[], Iterable[bytes]] | None
) -> list[str]:
    """Return in which paths an open folder differs from what was archived, for people; a few of them.

    `manifest` and `attributes` give what was kept of it each time they are called; None where nothing was to be said.
    """

    def there() -> Iterator[bytes]:
        return walk(folder)

    paths = differing_paths(lambda: entries_of(manifest()), lambda: entries_of(there()))
    if attributes is not None:
        kept = attributes
        paths += differing_paths(lambda: read(kept()), lambda: attributes_in(folder, there()))
    if not paths and linked_in(manifest()) != linked_in(there()):
        return ["hard links"]
    return [f"./{path.decode(errors='backslashreplace')}" for path in dict.fromkeys(paths)]
