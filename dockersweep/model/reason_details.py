"""The base of the details of reasons."""

from typing import Annotated

from msgspec import Meta, Struct

Number = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class Details(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="what"):
    """The details of a reason; in a document `what` is the type."""
