"""The members of a tar as they come: whether all of it came shows only in the tar itself.

Docker writes an error after the head of an answer into its body, and Podman just ends it.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dockersweep.errors import EngineError

BLOCK_BYTES = 512
_EMPTY = bytes(BLOCK_BYTES)
_PAX, PAX_GLOBAL, _LONG_NAME, _LONG_LINK = b"x", b"g", b"L", b"K"
_LINK, _SPARSE = b"1", b"S"
_LARGEST_EXTENSION_BYTES = 1 << 24
_CHUNK_BYTES = 1 << 18


class BrokenTarError(EngineError):
    """A tar of the engine is not whole, or of an unknown form."""


class Member(NamedTuple):
    """One member, without its data."""

    name: bytes
    """As it is written: "./a/b", "a/b/"."""
    type: bytes
    """The type flag: b"0" is a file, b"5" a folder, b"1" a hard link."""
    link: bytes
    """What a link leads to."""
    size: int
    """How many bytes of data follow, without padding."""
    header: bytes
    """All blocks in front of its data, with those of its extensions."""

    @property
    def path(self) -> bytes:
        """The path without what stands around it: b"a/b"; empty for the root."""
        return bare_path(self.name)

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.type == b"5"

    @property
    def is_hard_link(self) -> bool:
        """Whether it is another name of a file that came before."""
        return self.type == _LINK


def bare_path(name: bytes) -> bytes:
    """Return a path in a tar without what stands around it."""
    path = name.strip(b"/")
    while path.startswith(b"./"):
        path = path[2:].lstrip(b"/")
    return b"" if path == b"." else path


class TarReader:
    """Reads a tar in pieces. Use `members` and, for those whose data are wanted, `data` before the next one."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._buffer = memoryview(b"")
        self._left = 0
        """How many bytes of the data and padding of the last member are not read."""

    def members(self) -> Iterator[Member]:
        """Yield each member. Raises BrokenTarError where the tar is not whole, and what its pieces raise."""
        header = b""
        extended: dict[bytes, bytes] = {}
        while True:
            self._skip()
            block = self._exactly(BLOCK_BYTES)
            if block == _EMPTY:
                if header:
                    raise BrokenTarError("the engine's tar ends within a member")
                self._end()
                return
            _check_sum(block)
            kind, size = block[156:157], _number(block[124:136])
            if kind in (_PAX, PAX_GLOBAL, _LONG_NAME, _LONG_LINK):
                content = self._extension(size)
                header += block + content
                extended |= extension_fields(kind, content[:size])
                continue
            if kind == _SPARSE:
                raise BrokenTarError("the engine's tar has sparse files of an old form")
            size = int(extended[b"size"]) if b"size" in extended else size
            # Only files have data.
            size = size if kind in (b"0", b"\0", b"7") else 0
            name = extended.get(b"path", _short_name(block))
            link = extended.get(b"linkpath", block[157:257].split(b"\0")[0])
            self._left = size + -size % BLOCK_BYTES
            yield Member(name, kind, link, size, header + block)
            header, extended = b"", {}

    def data(self) -> Iterator[bytes]:
        """Yield the data of the last member, with its padding."""
        while self._left:
            yield self._some(self._left)

    def _skip(self) -> None:
        for _ in self.data():
            pass

    def _end(self) -> None:
        """Raise BrokenTarError unless the tar ends here: with a second empty block, and nothing but zeros after it."""
        if self._exactly(BLOCK_BYTES) != _EMPTY:
            raise BrokenTarError("the engine's tar has no end")
        rest = [self._buffer, *(memoryview(piece) for piece in self._pieces)] if self._buffer else self._pieces
        if any(any(piece) for piece in rest):
            raise BrokenTarError("the engine's tar goes on after its end")

    def _extension(self, size: int) -> bytes:
        if size > _LARGEST_EXTENSION_BYTES:
            raise BrokenTarError("the engine's tar has a header of many megabytes")
        return self._exactly(size + -size % BLOCK_BYTES)

    def _exactly(self, size: int) -> bytes:
        if len(self._buffer) >= size:
            taken, self._buffer = bytes(self._buffer[:size]), self._buffer[size:]
            return taken
        pieces = []
        while size:
            piece = self._take(size)
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _some(self, most: int) -> bytes:
        piece = self._take(min(most, _CHUNK_BYTES))
        self._left -= len(piece)
        return piece

    def _take(self, most: int) -> bytes:
        while not self._buffer:
            piece = next(self._pieces, None)
            if piece is None:
                raise BrokenTarError("the engine's tar ends early")
            self._buffer = memoryview(piece)
        taken, self._buffer = bytes(self._buffer[:most]), self._buffer[most:]
        return taken


def whole(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a tar as it comes. Raises BrokenTarError at its end where not all of it came."""
    reader = TarReader(pieces)
    for member in reader.members():
        yield member.header
        yield from reader.data()
    yield _EMPTY * 2


def _check_sum(block: bytes) -> None:
    try:
        expected = _number(block[148:156])
    except BrokenTarError:
        expected = -1
    if sum(block) - sum(block[148:156]) + 8 * 0x20 != expected:
        raise BrokenTarError("the engine's tar is damaged, or has an error of the engine in it")


def _number(field: bytes) -> int:
    """Return a number of a header: in octal digits, or in base 256 where the first bit is set."""
    if field[0] & 0x80:
        return int.from_bytes(bytes((field[0] & 0x7F,)) + field[1:], "big")
    digits = field.strip(b" \0")
    try:
        return int(digits, 8) if digits else 0
    except ValueError:
        raise BrokenTarError("the engine's tar is damaged: a number is none") from None


def _short_name(block: bytes) -> bytes:
    name, prefix = block[:100].split(b"\0")[0], block[345:500].split(b"\0")[0]
    return prefix + b"/" + name if prefix and block[257:263] == b"ustar\0" else name


def extension_fields(kind: bytes, content: bytes) -> dict[bytes, bytes]:
    """Return what a header in front of that of a member tells, by the names that POSIX has for it. Raises
    BrokenTarError."""
    if kind == _LONG_NAME:
        return {b"path": content.rstrip(b"\0")}
    if kind == _LONG_LINK:
        return {b"linkpath": content.rstrip(b"\0")}
    fields = {}
    while content:
        digits, _, _ = content.partition(b" ")
        if not digits.isdigit() or not len(digits) < int(digits) <= len(content):
            raise BrokenTarError("the engine's tar is damaged: an extended header is not readable")
        record = content[len(digits) + 1 : int(digits)]
        key, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n") or (key == b"size" and not value[:-1].isdigit()):
            raise BrokenTarError("the engine's tar is damaged: an extended header is not readable")
        fields[key] = value[:-1]
        content = content[int(digits) :]
    return fields
