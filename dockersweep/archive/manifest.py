r"""The manifest of a folder: what was in it, to compare with what is there later.

A record an entry, in the order in which GNU find walks, with three fields that end with a null byte each:

    TYPE MODE UID GID SIZE MTIME LINKS CTIME INODE\0PATH\0TARGET\0

TYPE is a letter of `find -printf %y`; SIZE and LINKS of folders are 0, since they differ between file systems. CTIME
and INODE tell whether anything has changed meanwhile; they say nothing about what is put back elsewhere.
"""

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256

from dockersweep.archive.programs import output_of, running
from dockersweep.errors import NotArchivedError

_FOLDER = r"%y %m %U %G 0 %T@ 0 %C@ %i\0%P\0\0"
_OTHER = r"%y %m %U %G %s %T@ %n %C@ %i\0%P\0%l\0"
FIND = ("find", ".", "-type", "d", "-printf", _FOLDER, "-o", "!", "-type", "s", "-printf", _OTHER)
"""Sockets are left out: no archive keeps them."""
MOST_DIFFERENCES = 20


class Seen:
    """What one walk has found: its hash, and how many entries."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._hash = sha256()
        self._nulls = 0

    def add(self, data: bytes) -> None:
        """Count bytes of the manifest."""
        self._hash.update(data)
        self._nulls += data.count(b"\0")

    @property
    def entries(self) -> int:
        """How many entries there are, the folder itself included."""
        return self._nulls // 3

    @property
    def digest(self) -> bytes:
        """The hash of all of it."""
        return self._hash.digest()


def walk(folder: int, write: Callable[[bytes], None]) -> Seen:
    """Walk an open folder; call `write` with each piece of its manifest.

    Raises NotArchivedError where something in it cannot be read, and ArchiveError without GNU find.
    """
    seen = Seen()
    with running(FIND, folder) as program:
        for data in output_of(program):
            seen.add(data)
            write(data)
        status = program.end()
        if program.first:
            raise NotArchivedError(f"it cannot be read in full: {next(iter(program.first.values()))}")
        if status:
            raise NotArchivedError(f"it cannot be read in full: find ended with status {status}")
    return seen


Entry = tuple[bytes, bytes, bytes]
"""The fields of a record: numbers, path, target."""


def entries_of(chunks: Iterable[bytes]) -> Iterator[Entry]:
    """Yield the records of a manifest."""
    rest = b""
    pending: list[bytes] = []
    for chunk in chunks:
        *fields, rest = (rest + chunk).split(b"\0")
        pending += fields
        whole = len(pending) - len(pending) % 3
        yield from zip(pending[0:whole:3], pending[1:whole:3], pending[2:whole:3], strict=True)
        del pending[:whole]


class Contents:
    """What a folder holds by its manifest, as far as it comes back when it is put somewhere else."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        """`entries` are those of one walk."""
        self.of_path: dict[bytes, tuple[bytes, bytes]] = {}
        """Path -> (what must be equal of its numbers, target)."""
        links: dict[bytes, list[bytes]] = {}
        for numbers, path, target in entries:
            kept, _, inode = numbers.rsplit(b" ", 2)
            self.of_path[path] = kept, target
            if not kept.endswith((b" 0", b" 1")):
                links.setdefault(inode, []).append(path)
        self.linked = {frozenset(paths) for paths in links.values()}
        """The paths of each file that has several."""


def differences(archived: Contents, there: Contents) -> list[str]:
    """Return the paths in which two folders differ, for people, in order; a few of them."""
    paths = {
        path
        for path in archived.of_path.keys() | there.of_path.keys()
        if archived.of_path.get(path) != there.of_path.get(path)
    }
    for group in archived.linked ^ there.linked:
        paths |= group
    return [path.decode(errors="backslashreplace") or "." for path in sorted(paths)[:MOST_DIFFERENCES]]
