"""The types of quantities in documents: bytes, and instants in UTC."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

Instant = Annotated[datetime, Meta(tz=True)]
Bytes = Annotated[int, Meta(ge=0, le=2**63 - 1)]
