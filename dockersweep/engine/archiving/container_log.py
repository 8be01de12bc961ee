"""The log of a container as an engine answers it, as lines like those of Docker's json-file."""

import re
from collections.abc import Iterable, Iterator

import msgspec

_HEADER_BYTES = 8
_STREAMS = {1: "stdout", 2: "stderr"}
_LONGEST_BYTES = 1 << 24
"""What comes as one piece of more than that is written as several lines."""
_TIME = re.compile(rb"(\d{4}-\d\d-\d\dT\S{1,40}) (.*)", re.DOTALL)


class LogLine(msgspec.Struct):
    """A line of json-file."""

    log: str
    stream: str
    time: str


def json_lines(pieces: Iterable[bytes], has_terminal: bool) -> Iterator[bytes]:
    """Yield a log, asked for with times, as lines of JSON. With a terminal both streams are one, and end a line each;
    without, eight bytes in front of each piece tell its stream and length."""
    encoder = msgspec.json.Encoder()
    for stream, message in _lines(pieces) if has_terminal else _frames(pieces):
        match = _TIME.fullmatch(message)
        time, text = (match[1], match[2]) if match else (b"", message)
        line = LogLine(text.decode("utf-8", "replace"), stream, time.decode("ascii", "replace"))
        yield encoder.encode(line) + b"\n"


def _frames(pieces: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    waiting, stream, left = b"", "stdout", 0
    for piece in pieces:
        waiting, position = waiting + piece, 0
        while True:
            if not left:
                header = waiting[position : position + _HEADER_BYTES]
                if len(header) < _HEADER_BYTES:
                    break
                stream, left = _STREAMS.get(header[0], "stdout"), int.from_bytes(header[4:], "big")
                position += _HEADER_BYTES
                continue
            wanted = min(left, _LONGEST_BYTES)
            if len(waiting) - position < wanted:
                break
            yield stream, waiting[position : position + wanted]
            position, left = position + wanted, left - wanted
        waiting = waiting[position:]
    if waiting and left:
        # It was cut off.
        yield stream, waiting


def _lines(pieces: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    waiting = b""
    for piece in pieces:
        *lines, waiting = (waiting + piece).split(b"\n")
        for line in lines:
            yield "stdout", line + b"\n"
        if len(waiting) > _LONGEST_BYTES:
            yield "stdout", waiting
            waiting = b""
    if waiting:
        yield "stdout", waiting
