"""A document in the log of a container: in numbered lines, with its length and digest.

A log has other lines too, engines cut lines at 16 KiB, and what a manager collects may come twice or not at all. So
each line says whose it is and which one, and only what is there in full is returned.
"""

import base64
import zlib
from collections.abc import Iterator
from hashlib import sha256
from typing import TypeVar

from msgspec import Struct

MARK = "dockersweep-frame/1"
LINE_CHARACTERS = 8000
"""Of a line's data: below the 16 KiB at which Docker cuts lines (daemon/logger/copier.go)."""
LARGEST_BYTES = 4_000_000_000
"""Of a document."""

Part = TypeVar("Part")


class FrameError(Exception):
    """The document is not there in full; the message says what is missing, to follow "its answer ..."."""


class _Header(Struct, frozen=True):
    lines: int
    size: int
    digest: str


def framed(document: bytes, run: str) -> Iterator[str]:
    """Yield the lines of a document, each with its newline. `run` is a word that tells it from others in the log."""
    data = base64.b64encode(zlib.compress(document, 6)).decode()
    pieces = [data[at : at + LINE_CHARACTERS] for at in range(0, len(data), LINE_CHARACTERS)]
    yield f"{MARK} {run} begin {len(pieces)} {len(document)} {sha256(document).hexdigest()}\n"
    for number, piece in enumerate(pieces):
        yield f"{MARK} {run} {number} {piece}\n"
    yield f"{MARK} {run} end\n"


def unframed(log: bytes, run: str) -> bytes:
    """Return the document of a run in a log; the order of its lines does not matter. Raises FrameError."""
    header, pieces, has_end = _read(log, run)
    if header is None:
        raise FrameError("did not come")
    missing = [number for number in range(header.lines) if number not in pieces]
    if missing or not has_end:
        raise FrameError(f"is cut off: {header.lines - len(missing)} of {header.lines} lines came")
    data = "".join(pieces[number] for number in range(header.lines))
    try:
        inflating = zlib.decompressobj()
        document = inflating.decompress(base64.b64decode(data, validate=True), min(header.size, LARGEST_BYTES) + 1)
    except (ValueError, zlib.error):
        raise FrameError("is damaged: it cannot be unpacked") from None
    if len(document) != header.size or sha256(document).hexdigest() != header.digest:
        raise FrameError("is damaged: its length or digest is another")
    return document


def _read(log: bytes, run: str) -> tuple[_Header | None, dict[int, str], bool]:
    header: _Header | None = None
    pieces: dict[int, str] = {}
    has_end = False
    for line in log.decode("ascii", "replace").splitlines():
        mark, _, rest = line.partition(f" {run} ")
        if mark != MARK:
            continue
        what, _, data = rest.partition(" ")
        if what == "end":
            has_end = True
        elif what == "begin":
            header = _same("header", header, _header(data))
        elif what.isdecimal() and len(what) < 10:
            number = int(what)
            pieces[number] = _same(f"line {number}", pieces.get(number), data)
    return header, pieces, has_end


def _header(data: str) -> _Header:
    words = data.split(" ")
    if len(words) != 3 or not all(word.isdecimal() and len(word) < 16 for word in words[:2]):
        raise FrameError("is damaged: its header cannot be read")
    return _Header(int(words[0]), int(words[1]), words[2])


def _same(what: str, former: Part | None, latter: Part) -> Part:
    """Return what came, if it came once, or twice alike."""
    if former is not None and former != latter:
        raise FrameError(f"is damaged: its {what} came twice, and differs")
    return latter
