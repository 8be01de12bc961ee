"""Compares what two folders have at each path, in whatever order, in memory that has a bound."""

from collections.abc import Callable, Iterable, Iterator, Sequence

Batch = tuple[Sequence[bytes], Sequence[object]]
"""Paths, and what is at each of them."""
Side = Callable[[], Iterable[Batch]]
"""Called for what a folder has, and again only where it differs."""

MOST_PATHS = 20
PATHS_AT_ONCE = 100_000


def differing_paths(one: Side, other: Side) -> list[bytes]:
    """Return the paths at which two folders differ, in order; a few of them."""
    (number, paths), (other_number, other_paths) = _sum(one()), _sum(other())
    if number == other_number:
        return []
    parts = 1 + max(paths, other_paths) // PATHS_AT_ONCE
    found: list[bytes] = []
    for part in range(parts):
        pairs = set(_pairs(one(), part, parts)) ^ set(_pairs(other(), part, parts))
        found += {path for path, _ in pairs}
        if len(found) >= MOST_PATHS:
            break
    return sorted(found)[:MOST_PATHS]


def _sum(batches: Iterable[Batch]) -> tuple[int, int]:
    """Return a number that is the same for the same content in any order, and how many paths there are."""
    number = paths = 0
    for batch in batches:
        number += sum(map(hash, zip(*batch, strict=True)))
        paths += len(batch[0])
    return number, paths


def _pairs(batches: Iterable[Batch], part: int, parts: int) -> Iterator[tuple[bytes, object]]:
    """Yield each path with what is there, of one of several parts of the paths."""
    for batch in batches:
        yield from (pair for pair in zip(*batch, strict=True) if parts == 1 or hash(pair[0]) % parts == part)
