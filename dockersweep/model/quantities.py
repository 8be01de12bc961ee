"""The types of quantities in documents: bytes, bounds of bytes, and instants in UTC."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

Instant = Annotated[datetime, Meta(tz=True)]
Bytes = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Bounds(Struct, frozen=True, kw_only=True, gc=False):
    """An amount between two bounds, of which the low one is never above the high one, however it is made or read.

    What an engine says of one thing in two places need not agree; bounds that are the wrong way round are then both
    held to be possible, and exchanged.
    """

    low_bytes: Bytes
    high_bytes: Bytes | None
    """None where it is not known."""

    def __post_init__(self) -> None:
        low, high = self.low_bytes, self.high_bytes
        if high is not None and high < low:
            force_setattr(self, "low_bytes", high)
            force_setattr(self, "high_bytes", low)
