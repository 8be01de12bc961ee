"""What every reason is about, in general."""

from typing import Annotated

from msgspec import Meta, Struct

Number = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class Details(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="what"):
    """What a reason is about; `what` tells in a document which of these it is."""
