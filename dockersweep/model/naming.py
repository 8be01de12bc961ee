"""What to call an object: its kind, its id and its name, the same in every document and table."""

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from operator import attrgetter

from dockersweep.model.inventory import (
    BuildCacheRecord,
    Container,
    Engine,
    Image,
    Inventory,
    Kind,
    Network,
    Object,
    ObjectRef,
    Volume,
)

KIND_OF: dict[type, Kind] = {
    Container: "container",
    Image: "image",
    Volume: "volume",
    Network: "network",
    BuildCacheRecord: "build-cache",
}


PLURAL_OF: dict[Kind, str] = {
    "container": "containers",
    "image": "images",
    "volume": "volumes",
    "network": "networks",
    "build-cache": "build-cache records",
}
"""What several of a kind are called in a sentence."""


def kind_of(seen: Object) -> Kind:
    """Return the kind of an object."""
    return KIND_OF[type(seen)]


def id_of(seen: Object) -> str:
    """Return what identifies an object within its kind: the name of a volume, the full id of all others."""
    return seen.name if type(seen) is Volume else seen.id


def ref_of(seen: Object) -> ObjectRef:
    """Return the reference of an object."""
    return ObjectRef(kind=KIND_OF[type(seen)], id=seen.name if type(seen) is Volume else seen.id)


def by_id(kind: Kind, objects: Iterable[Object]) -> dict[str, Object]:
    """Return objects of one kind by their ids, in order."""
    listed = tuple(objects)
    ids: Iterable[str] = map(attrgetter("name" if kind == "volume" else "id"), listed)
    return dict(zip(ids, listed, strict=True))


def name_of(seen: Object) -> str:
    """Return the name that people know an object by: an image's first tag, a record's description."""
    if type(seen) is Image:
        return image_name(seen)
    if type(seen) is BuildCacheRecord:
        # BuildKit writes "from local " where nothing follows.
        return seen.description.strip() or seen.id
    return seen.name


def size_of(seen: Object) -> int | None:
    """Return the size of an object in bytes, None where it is not known; a network takes nothing."""
    return 0 if type(seen) is Network else seen.size_bytes


def image_name(image: Image) -> str:
    """Return the first tag of an image; of one without, the repository of its digest, else its short id."""
    if image.tags:
        return image.tags[0]
    if image.digests:
        return f"{image.digests[0].partition('@')[0]}@{short_id(image.id)}"
    return short_id(image.id)


def short_id(full_id: str) -> str:
    """Return the twelve digits by which people know an id."""
    return full_id.removeprefix("sha256:")[:12]


def typed_name(ref: ObjectRef, name: str) -> str:
    """Return what a person types for an object of this name: a record is only described, and what stands for the tag
    of an image that has only a digest is none, so for these it is the id."""
    return ref.id.removeprefix("sha256:") if ref.kind == "build-cache" or "@" in name else name


def has_made_up_name(volume: str) -> bool:
    """Return whether a volume is called as engines call those that nobody names: 64 hex digits."""
    return re.fullmatch(r"[0-9a-f]{64}", volume) is not None


def objects_of(inventory: Inventory, kind: Kind | None = None) -> Sequence[Object]:
    """Return the objects of one kind, or of all."""
    groups: dict[Kind, tuple[Object, ...]] = {
        "container": inventory.containers,
        "image": inventory.images,
        "volume": inventory.volumes,
        "network": inventory.networks,
        "build-cache": inventory.build_cache or (),
    }
    return list(chain.from_iterable(groups.values())) if kind is None else groups[kind]


def engine_identity(engine: Engine) -> str:
    """Return what tells one engine from all others. Cloned machines share the engine's id, so its name counts too;
    Podman makes up its id for each call, so there it is where it listens."""
    return f"{engine.id or engine.endpoint} {engine.root_dir} {engine.name}"
