"""The types of quantities in documents: bytes, bounds of bytes, and instants in UTC."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

Instant = Annotated[datetime, Meta(tz=True)]
LARGEST = 2**63 - 1
"""The largest number in a document."""
Bytes = Annotated[int, Meta(ge=0, le=LARGEST)]


def known_sum(amounts: Iterable[int | None]) -> int | None:
    """Return the sum of amounts; None where one of them is not known."""
    total = 0
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total


class Bounds(Struct, frozen=True, kw_only=True, gc=False):
    """An amount between two bounds; the low one is never above the high one, however it is made or read.

    What an engine reports in two places need not agree, so bounds may come in the wrong order: they are exchanged.
    """

    low_bytes: Bytes
    high_bytes: Bytes | None
    """None where it is not known."""

    def __post_init__(self) -> None:
        low, high = self.low_bytes, self.high_bytes
        if high is not None and high < low:
            force_setattr(self, "low_bytes", high)
            force_setattr(self, "high_bytes", low)

    @property
    def is_exact(self) -> bool:
        """Whether it is one known amount."""
        return self.low_bytes == self.high_bytes
