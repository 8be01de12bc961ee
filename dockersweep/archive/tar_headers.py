"""Looks at the headers of a tar that passes by; the content of files is not looked at."""

import re

_BLOCK = 512
_SIZE, _BEHIND_SIZE, _TYPE = 124, 135, 156
"""Places of fields in a header."""
_FURTHER = b"xgLK"
"""The types of headers that belong to the entry behind them: pax ones, and GNU tar's long names."""
_PAX = ord("x")
_WHOLE_SIZE = re.compile(rb"(?:^|\n)\d+ size=(\d+)\n")


class TarHeaders:
    """How many entries a tar has, and whether any has extended attributes, ACLs among them."""

    def __init__(self) -> None:
        """Nothing has passed by yet."""
        self.entries = 0
        self.has_attributes = False
        self._skip = 0
        """How many bytes of what comes next belong to no header."""
        self._rest = b""
        """The beginning of a header, or of a pax header with what is in it."""
        self._whole_size: int | None = None
        self.has_ended = False
        """Whether the block that ends it has passed by."""

    def look(self, data: bytes | bytearray, end: int) -> None:
        """Take the next piece: what is before `end`. Raises ValueError where it is not a tar."""
        if self.has_ended:
            return
        if self._rest:
            data, end, self._rest = self._rest + data[:end], len(self._rest) + end, b""
        place = self._skip
        # This runs for each entry: an attribute or a call more is noticed where there are many.
        while place + _BLOCK <= end:
            kind = data[place + _TYPE]
            try:
                size = int(data[place + _SIZE : place + _BEHIND_SIZE], 8)
            except ValueError:
                size = _odd_number(data[place + _SIZE : place + _BEHIND_SIZE + 1])
            if kind == _PAX:
                if place + _BLOCK + size > end:
                    # Its content is short: wait for it.
                    break
                self._look_into(data[place + _BLOCK : place + _BLOCK + size])
            elif kind not in _FURTHER:
                if not kind and not any(data[place : place + _BLOCK]):
                    self.has_ended = True
                    return
                self.entries += 1
                if self._whole_size is not None:
                    size, self._whole_size = self._whole_size, None
            place += (size + _BLOCK + _BLOCK - 1) // _BLOCK * _BLOCK
        self._skip = max(0, place - end)
        if place < end:
            self._rest = bytes(data[place:end])

    def _look_into(self, pax: bytes | bytearray) -> None:
        if b" SCHILY." in pax:
            self.has_attributes = True
        if b" size=" in pax:
            found = _WHOLE_SIZE.search(pax)
            self._whole_size = None if found is None else int(found[1])


def _odd_number(field: bytes | bytearray) -> int:
    """Return a number that is not written as GNU tar writes it."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    text = field.rstrip(b"\0 ")
    return int(text, 8) if text else 0
