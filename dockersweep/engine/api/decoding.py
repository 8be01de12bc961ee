"""Decodes JSON in several threads.

msgspec inspects a type when it first decodes it, and crashes with a segmentation fault if two threads do that for the
same type at once (seen with msgspec 0.22, in one of thirty scans). So decoders are made by one thread at a time;
decoding itself is concurrent.
"""

import threading
from typing import Any, TypeVar

import msgspec

Shape = TypeVar("Shape")

_lock = threading.Lock()
_decoders: dict[Any, Any] = {}


def decode(data: bytes, shape: type[Shape]) -> Shape:
    """Return the JSON as the shape; raises what `msgspec.json.decode` does."""
    decoded: Shape = _decoder(shape).decode(data)
    return decoded


def decode_lines(data: bytes, shape: type[Shape]) -> list[Shape]:
    """Return the shape of each line that holds JSON; raises what `msgspec.json.decode` does."""
    decoded: list[Shape] = _decoder(shape).decode_lines(data)
    return decoded


def _decoder(shape: Any) -> Any:
    with _lock:
        decoder = _decoders.get(shape)
        if decoder is None:
            decoder = _decoders[shape] = msgspec.json.Decoder(shape)
    return decoder
