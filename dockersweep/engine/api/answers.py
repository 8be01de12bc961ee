"""What an engine answers beside the nouns of the model: sizes, the tags and the layers of one image."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from msgspec import Struct

from dockersweep.engine.api.status_text import Ended
from dockersweep.model.inventory import BuildCacheRecord, Container
from dockersweep.model.quantities import Bytes

UsagePart = Literal["image", "container", "volume", "build-cache"]
"""What GET /system/df can be asked for alone."""


class DiskUsage(Struct, frozen=True):
    """What GET /system/df tells, in bytes; None where it was not asked for or not told."""

    writable_bytes: dict[str, int | None] | None = None
    """Writable layers by container id."""
    volume_bytes: dict[str, int | None] | None = None
    """By volume name."""
    shared_bytes: dict[str, int | None] | None = None
    """By image id; only where the image list has it not."""
    build_cache: tuple[BuildCacheRecord, ...] | None = None
    layers_bytes: int | None = None
    """All layers of all images, each counted once."""


class ListedContainer(NamedTuple):
    """An entry of the list of containers."""

    container: Container
    """Without what only an inspect tells."""
    ended: Ended | None
    """How and when it ended, where the list tells it."""


class ListedAt(NamedTuple):
    """When the containers were listed, on the clock of this machine."""

    earliest: datetime
    latest: datetime


class ImageTags(Struct, frozen=True):
    """An image as it is looked at just before a removal."""

    id: str
    tags: tuple[str, ...]


class EngineEvent(NamedTuple):
    """Something that happened on an engine."""

    at_nanos: int
    """Since 1970, on the engine's clock."""
    type: str
    """"container", "image", "volume", "network" and others."""
    action: str
    id: str
    """Podman leaves it out for volumes."""
    attributes: Mapping[str, str]
    """For a container its name, its image as it was named, and its labels."""


class ImageLayers(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What inspect and history tell of one image, the lowest layer first. The ledger keeps it as JSON."""

    diff_ids: tuple[str, ...]
    history_bytes: tuple[Bytes, ...]
    """One per step of its history, those that made no layer included."""
    stored_as: tuple[str, ...] = ()
    """Podman's own ids of the layers: it can keep one chain of layers twice. Empty elsewhere, and where not told."""
