"""The parts of an engine's storage, each of which exists once, however many objects need it.

The own part of an object has the id `KIND:ID`, like "image:sha256:..." or "volume:shop_data"; parts below have ids like
"layer:<chain id>", "blob:<digest>" or "snapshot:<key>". A part is freed once its object is removed and no other part
needs it: engines count references in the same way. A part without an object that nothing needs ("lease:<id>") stands
for something that the engine does not list, and is never freed.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from dockersweep.model.quantities import Bytes

SizeBase = Literal["lengths", "disk"]
"""Whether sizes are lengths of files, as the engine reports them, or the blocks that they use on its disk."""

LAYER_PREFIXES = ("layer:", "snapshot:")
"""Prefixes of the ids of layers."""


class Part(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A layer, a snapshot, a blob, or an object's own part: its writable layer, its files, its metadata."""

    id: str
    needs: tuple[str, ...] = ()
    """The ids of the parts that it depends on, and holds."""
    low_bytes: Bytes = 0
    high_bytes: Bytes | None
    """Its own size, without the parts that it needs, is between the two; `high_bytes` is None where it is not known."""
    undivided_layers: Annotated[int, Meta(ge=1, le=10_000)] = 1
    """How many layers, from this one down, have these bytes together, if it is not known which has how many; the others
    are parts of size 0."""
    undivided_sizes: tuple[Bytes, ...] = ()
    """The sizes of those that are not empty, the lowest layer first; empty where they are not known."""
    inodes: Annotated[int, Meta(ge=0)] | None = None
    """How many files and folders it has; None where they were not counted."""
    folder: str | None = None
    """The folder with most of it, relative to the engine's root; None where that is not known."""

    def __post_init__(self) -> None:
        if self.high_bytes is not None and self.high_bytes < self.low_bytes:
            raise ValueError(f"{self.id} has a low_bytes above its high_bytes")


class Storage(Struct, frozen=True, kw_only=True):
    """The known parts. Of an object without a part of its own, only the size is known."""

    base: SizeBase
    parts: tuple[Part, ...] = ()
    not_from_disk: str | None = None
    """Why sizes are lengths: "the engine is on another machine"; None where they are disk blocks."""
