"""Reads bolt databases, in which BuildKit and containerd keep references. There is no Python package for them.

The engine that owns a database has it open for writing. Bolt never overwrites a page that its newest transaction can
reach, so a copy is consistent if no transaction ended while it was read. The file is opened read-only, and neither
locked nor mapped.

The format is that of go.etcd.io/bbolt, page.go and bucket.go: pages with a header of 16 bytes; two meta pages, of
which the valid one with the higher transaction counts; trees of branch and leaf pages; buckets within leaves.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from msgspec import Struct

from dockersweep.files import open_inside, read_bounded

_MAGIC, _VERSION = 0xED0CDAED, 2
_PAGE = struct.Struct("=QHHI")
_META = struct.Struct("=IIIIQQQQQQ")
_BRANCH_ELEMENT = struct.Struct("=IIQ")
_LEAF_ELEMENT = struct.Struct("=IIII")
_BUCKET = struct.Struct("=QQ")
_IS_BRANCH, _IS_LEAF, _IS_BUCKET = 1, 2, 1
_TRIES = 5
LARGEST_BYTES = 1 << 30
_HEAD_BYTES = 1 << 17
"""Enough to contain both meta pages, whatever the page size."""


class BoltError(Exception):
    """The file is not a readable bolt database, or it changed each time it was read."""


def read_bolt(path: Path) -> "Bucket":
    """Return the root bucket of a database as of its last finished transaction.

    Raises BoltError, or OSError where the file cannot be read.
    """
    for _ in range(_TRIES):
        with open_inside(path) as file:
            # Checked before the whole file is read into memory.
            _Meta.newest(os.pread(file, _HEAD_BYTES, 0), path)
            data = read_bounded(file, path, LARGEST_BYTES)
            again = os.pread(file, _HEAD_BYTES, 0)
        before = _Meta.newest(data, path)
        if _Meta.newest(again, path) == before:
            return Bucket(data, before.page_bytes, before.root, path)
    raise BoltError(f"{path} changed each time it was read")


class _Meta(Struct, frozen=True):
    page_bytes: int
    root: int
    transaction: int

    @classmethod
    def newest(cls, data: bytes, path: Path) -> Self:
        """Return the valid meta page with the newest transaction."""
        first = cls._at(data, 0)
        # If the first is damaged, the second is one page further; the page size is the machine's.
        sizes = [first.page_bytes] if first else [4096, 16384, 65536]
        valid = [meta for meta in (first, *(cls._at(data, size) for size in sizes)) if meta is not None]
        if not valid:
            raise BoltError(f"{path} is no bolt database")
        return max(valid, key=lambda meta: meta.transaction)

    @classmethod
    def _at(cls, data: bytes, start: int) -> Self | None:
        body = start + _PAGE.size
        if len(data) < body + _META.size:
            return None
        magic, version, page_bytes, _, root, _, _, _, transaction, checksum = _META.unpack_from(data, body)
        if (magic, version) != (_MAGIC, _VERSION) or _fnv_64a(data[body : body + _META.size - 8]) != checksum:
            return None
        return cls(page_bytes, root, transaction)


def _fnv_64a(data: bytes) -> int:
    digest = 0xCBF29CE484222325
    for byte in data:
        digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return digest


class Bucket:
    """A bucket: keys in order, each with bytes or another bucket. Its methods raise BoltError for a damaged file."""

    def __init__(self, data: bytes, page_bytes: int, root: int, path: Path, inline: int | None = None) -> None:
        self._data = data
        self._page_bytes = page_bytes
        self._root = root
        self._path = path
        self._inline = inline

    def items(self) -> Iterator[tuple[bytes, "bytes | Bucket"]]:
        """Yield every key with its value or its bucket."""
        start = self._root * self._page_bytes if self._inline is None else self._inline
        left = len(self._data)
        try:
            for key, value in map(self._leaf, self._leaves(start)):
                left -= len(key) + (len(value) if isinstance(value, bytes) else 0)
                if left < 0:
                    raise BoltError(f"{self._path} is damaged: more is in it than it is large")
                yield key, value
        except (struct.error, IndexError, OverflowError) as error:
            raise BoltError(f"{self._path} is damaged: {error}") from None

    def values(self) -> dict[bytes, bytes]:
        """Return the keys that have plain values."""
        return {key: value for key, value in self.items() if isinstance(value, bytes)}

    def buckets(self) -> dict[bytes, "Bucket"]:
        """Return the keys that have buckets."""
        return {key: value for key, value in self.items() if isinstance(value, Bucket)}

    def bucket(self, *names: bytes) -> "Bucket | None":
        """Return the nested bucket with this path of names; None if there is none."""
        bucket: Bucket | None = self
        for name in names:
            bucket = None if bucket is None else bucket.buckets().get(name)
        return bucket

    def _leaves(self, start: int) -> Iterator[int]:
        """Yield the offsets of leaf elements, in order. Not recursive: a damaged tree may be as deep as it has
        pages."""
        waiting, met = [start], {start}
        while waiting:
            start = waiting.pop()
            _, flags, count, _ = _PAGE.unpack_from(self._data, start)
            first = start + _PAGE.size
            if flags & _IS_BRANCH:
                below = [self._branch(first + number * _BRANCH_ELEMENT.size) for number in range(count)]
                # Each page occurs once in a tree. A loop would never end.
                if len(set(below)) < count or not met.isdisjoint(below):
                    raise BoltError(f"{self._path} is damaged: the pages below that at {start} are not those of a tree")
                met.update(below)
                waiting += reversed(below)
            elif flags & _IS_LEAF:
                yield from range(first, first + count * _LEAF_ELEMENT.size, _LEAF_ELEMENT.size)
            else:
                raise BoltError(f"{self._path} is damaged: the page at {start} is not one of a tree")

    def _branch(self, place: int) -> int:
        _, _, page = _BRANCH_ELEMENT.unpack_from(self._data, place)
        return int(page * self._page_bytes)

    def _leaf(self, place: int) -> tuple[bytes, "bytes | Bucket"]:
        flags, position, key_bytes, value_bytes = _LEAF_ELEMENT.unpack_from(self._data, place)
        key_start = place + position
        value_start = key_start + key_bytes
        key = self._data[key_start:value_start]
        if not flags & _IS_BUCKET:
            return key, self._data[value_start : value_start + value_bytes]
        root, _ = _BUCKET.unpack_from(self._data, value_start)
        inline = value_start + _BUCKET.size if root == 0 else None
        return key, Bucket(self._data, self._page_bytes, root, self._path, inline)
