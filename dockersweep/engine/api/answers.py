"""Types of answers that are not in the model: sizes, events, the tags and the layers of one image."""

from datetime import datetime
from typing import Literal, NamedTuple

from msgspec import Struct

from dockersweep.engine.api.status_text import Ended
from dockersweep.model.inventory import BuildCacheRecord, Container
from dockersweep.model.quantities import Bytes

UsagePart = Literal["image", "container", "volume", "build-cache"]
"""The parts that GET /system/df can return alone."""


class DiskUsage(Struct, frozen=True):
    """The answer to GET /system/df, in bytes; None for parts that were not requested or are not in it."""

    writable_bytes: dict[str, int | None] | None = None
    """Writable layers by container id."""
    volume_bytes: dict[str, int | None] | None = None
    """By volume name."""
    shared_bytes: dict[str, int | None] | None = None
    """By image id; only if the image list does not have it."""
    build_cache: tuple[BuildCacheRecord, ...] | None = None
    layers_bytes: int | None = None
    """All layers of all images, each counted once."""


class ListedContainer(NamedTuple):
    """An entry of the list of containers."""

    container: Container
    """Without the fields that only an inspect has."""
    ended: Ended | None
    """How and when it ended, if the list has that."""


class ListedAt(NamedTuple):
    """When the containers were listed, by this machine's clock."""

    earliest: datetime
    latest: datetime


class ImageTags(Struct, frozen=True):
    """An image as it is just before a removal."""

    id: str
    tags: tuple[str, ...]


class ImageLayers(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The layers of one image from inspect and history, the lowest first. The ledger keeps it as JSON."""

    diff_ids: tuple[str, ...]
    history_bytes: tuple[Bytes, ...]
    """One for each step of the history, including steps that made no layer."""
    stored_as: tuple[str, ...] = ()
    """Podman's own layer ids: it can store one chain of layers twice. Empty for other engines, and where missing."""
