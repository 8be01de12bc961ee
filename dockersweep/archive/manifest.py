r"""The manifest of a folder: what is in it, to compare with what is there later.

A record an entry, in the order in which GNU find walks, with four fields that end with a null byte each:

    TYPE MODE UID GID SIZE MTIME\0PATH\0TARGET\0LINKS CTIME INODE\0

TYPE is a letter of `find -printf %y`; the SIZE of a folder is 0, since it differs between file systems. The last field
tells whether anything has changed meanwhile, and which paths are the same file; it says nothing about what is put back
elsewhere.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256

from dockersweep.archive.comparing import Batch
from dockersweep.archive.programs import output_of, running
from dockersweep.errors import NotArchivedError

_FOLDER = r"%y %m %U %G 0 %T@\0%P\0\0%n %C@ %i\0"
_OTHER = r"%y %m %U %G %s %T@\0%P\0%l\0%n %C@ %i\0"
FIND = ("find", ".", "-type", "d", "-printf", _FOLDER, "-o", "!", "-type", "s", "-printf", _OTHER)
"""Sockets are left out: no archive keeps them."""
FIELDS = 4
LONGEST_PATH_BYTES = 4090
"""What is below a longer path cannot be put back: a system call takes 4,095 bytes, "./" and all."""
_CAN_BE_LINKED = (b"f", b"l")
_CANNOT_BE_LINKED = (b"p", b"b", b"c")
"""What tar writes anew for each of its paths."""

Fields = Sequence[bytes]


def fields_of(chunks: Iterable[bytes], of_record: int = FIELDS) -> Iterator[list[bytes]]:
    """Yield the fields of whole records, many at once: of a manifest, or of so many fields a record."""
    rest: list[bytes] = [b""]
    for chunk in chunks:
        first, *others = chunk.split(b"\0")
        rest[-1] += first
        rest += others
        whole = (len(rest) - 1) // of_record * of_record
        if whole:
            yield rest[:whole]
            del rest[:whole]


class Seen:
    """What one walk has found."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._hash = sha256()
        self.entries = 0
        """How many entries there are, the folder itself included."""
        self.has_devices = False
        self.unlinked = 0
        """How many pipes and devices have further paths, which tar does not keep as the same file."""

    def add(self, chunk: bytes) -> None:
        """Take a piece of the manifest as it is."""
        self._hash.update(chunk)

    def look(self, fields: Fields) -> None:
        """Take the fields of whole records. Raises NotArchivedError for a path that cannot be put back."""
        numbers, paths, links = fields[0::FIELDS], fields[1::FIELDS], fields[3::FIELDS]
        self.entries += len(paths)
        longest = max(map(len, paths))
        if longest > LONGEST_PATH_BYTES:
            raise NotArchivedError(f"it has a path of {longest} bytes, which no system call takes to put it back")
        odd = [place for place, one in enumerate(numbers) if one.startswith(_CANNOT_BE_LINKED)]
        self.unlinked += sum(not links[place].startswith(b"1 ") for place in odd)
        self.has_devices |= any(not numbers[place].startswith(b"p") for place in odd)

    @property
    def digest(self) -> bytes:
        """The hash of all of it."""
        return self._hash.digest()


def walk(folder: int) -> Iterator[bytes]:
    """Yield the manifest of an open folder in pieces.

    Raises NotArchivedError where something in it cannot be read, and ArchiveError without GNU find.
    """
    with running(FIND, folder) as program:
        yield from map(bytes, output_of(program))
        status = program.end()
        if program.first:
            raise NotArchivedError(f"it cannot be read in full: {next(iter(program.first.values()))}")
        if status:
            raise NotArchivedError(f"it cannot be read in full: find ended with status {status}")


def look_through(folder: int, write: Callable[[bytes], None]) -> Seen:
    """Walk an open folder before it is read; call `write` with each piece of its manifest. Raises as `walk` does."""
    seen = Seen()

    def written() -> Iterator[bytes]:
        for chunk in walk(folder):
            seen.add(chunk)
            write(chunk)
            yield chunk

    for fields in fields_of(written()):
        seen.look(fields)
    return seen


def digest_of(folder: int, look: Callable[[Fields], None] | None = None) -> bytes:
    """Walk an open folder once more; return the hash of its manifest. Calls `look`, if there is one, with the fields of
    whole records. Raises as `walk` does."""
    seen = Seen()

    def hashed() -> Iterator[bytes]:
        for chunk in walk(folder):
            seen.add(chunk)
            yield chunk

    if look is None:
        for _ in hashed():
            pass
    else:
        for fields in fields_of(hashed()):
            look(fields)
    return seen.digest


def paths_by_inode(fields: Fields) -> Iterator[tuple[int, bytes]]:
    """Yield the inode and the path of each of whole records."""
    for place, links in enumerate(fields[3::FIELDS]):
        yield int(links.rpartition(b" ")[2]), fields[place * FIELDS + 1]


def entries_of(manifest: Iterable[bytes]) -> Iterator[Batch]:
    """Yield path, and (numbers, target), of what a manifest has, many at once."""
    for fields in fields_of(manifest):
        yield fields[1::FIELDS], list(zip(fields[0::FIELDS], fields[2::FIELDS], strict=True))


def linked_in(manifest: Iterable[bytes]) -> set[int]:
    """Return a number for each file that has several paths in a folder: equal for the same paths, in whatever order."""
    groups: dict[bytes, tuple[int, int]] = {}
    for fields in fields_of(manifest):
        for place, links in enumerate(fields[3::FIELDS]):
            if not links.startswith(b"1 ") and fields[place * FIELDS].startswith(_CAN_BE_LINKED):
                inode = links.rpartition(b" ")[2]
                paths, number = groups.get(inode, (0, 0))
                groups[inode] = paths + 1, number + hash(fields[place * FIELDS + 1])
    # A further path may be elsewhere, and does not come back.
    return {number for paths, number in groups.values() if paths > 1}
