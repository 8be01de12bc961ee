"""What objects depend on: the pieces of an engine's storage, each of which is there once however many hold it.

The part of an object has the id `KIND:ID` of that object, like "image:sha256:..." or "volume:shop_data"; what lies
below has ids like "layer:<chain id>", "blob:<digest>" or "snapshot:<key>". A part is freed once its object is
removed and no other part needs it any more: engines count references in just this way. A part that is no object's
and that nothing needs ("lease:<id>") stands for something that no list of the engine shows, and is never freed.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from dockersweep.model.quantities import Bytes

SizeBase = Literal["lengths", "disk"]
"""What sizes are counted in: lengths of files, as an engine tells them, or the blocks that they take on its disk."""

LAYER_PREFIXES = ("layer:", "snapshot:")
"""How the ids of parts begin that are layers."""


class Part(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A layer, a snapshot, a blob, or what an object has for itself: its writable layer, its files, its records."""

    id: str
    needs: tuple[str, ...] = ()
    """The ids of the parts that it depends on, and keeps."""
    low_bytes: Bytes = 0
    high_bytes: Bytes | None
    """Its own size, without what it needs, lies between the two; `high_bytes` is None where it is not known."""
    undivided_layers: Annotated[int, Meta(ge=1, le=10_000)] = 1
    """How many layers, from this one downwards, have these bytes together, where it is not told which of them has how
    many; the others are parts of no size."""
    undivided_sizes: tuple[Bytes, ...] = ()
    """The sizes of those of them that hold something, the lowest first; empty where they are not known."""
    inodes: Annotated[int, Meta(ge=0)] | None = None
    """How many files and folders it has; None where they were not counted."""
    folder: str | None = None
    """Where most of it lies, below the engine's root; None where that is not known."""

    def __post_init__(self) -> None:
        if self.high_bytes is not None and self.high_bytes < self.low_bytes:
            raise ValueError(f"{self.id} has a low_bytes above its high_bytes")


class Storage(Struct, frozen=True, kw_only=True):
    """The parts that could be told apart. An object without a part of its own is known by its size only."""

    base: SizeBase
    parts: tuple[Part, ...] = ()
    not_from_disk: str | None = None
    """Why sizes are lengths: "the engine is on another machine"; None where they are disk blocks."""
