"""The kind, id and name of an object, the same in every document and table."""

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from operator import attrgetter

from msgspec.structs import replace

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
"""Kind -> its plural in sentences."""


def kind_of(item: Object) -> Kind:
    """Return the kind of an object."""
    return KIND_OF[type(item)]


def id_of(item: Object) -> str:
    """Return the id of an object within its kind: the name of a volume, the full id of all others."""
    return item.name if type(item) is Volume else item.id


def ref_of(item: Object) -> ObjectRef:
    """Return the reference of an object."""
    return ObjectRef(kind=KIND_OF[type(item)], id=item.name if type(item) is Volume else item.id)


def by_id(kind: Kind, objects: Iterable[Object]) -> dict[str, Object]:
    """Return id -> object, for objects of one kind, in order."""
    listed = tuple(objects)
    ids: Iterable[str] = map(attrgetter("name" if kind == "volume" else "id"), listed)
    return dict(zip(ids, listed, strict=True))


def name_of(item: Object) -> str:
    """Return the name of an object for people: an image's first tag, a record's description."""
    if type(item) is Image:
        return image_name(item)
    if type(item) is BuildCacheRecord:
        # BuildKit writes "from local " with nothing after it.
        return item.description.strip() or item.id
    return item.name


def size_of(item: Object) -> int | None:
    """Return the size of an object in bytes, None where it is not known; 0 for a network."""
    return 0 if type(item) is Network else item.size_bytes


def image_name(image: Image) -> str:
    """Return the first tag of an image; without tags, the repository of its digest, or its short id."""
    if image.tags:
        return image.tags[0]
    if image.digests:
        return f"{image.digests[0].partition('@')[0]}@{short_id(image.id)}"
    return short_id(image.id)


def short_id(full_id: str) -> str:
    """Return the usual twelve digits of an id."""
    return full_id.removeprefix("sha256:")[:12]


def typed_name(ref: ObjectRef, name: str) -> str:
    """Return what a person types for an object with this name: its id for a record, which has only a description, and
    for an image with only a digest, whose name is not a reference."""
    return ref.id.removeprefix("sha256:") if ref.kind == "build-cache" or "@" in name else name


def has_made_up_name(volume: str) -> bool:
    """Return whether a volume has a name that engines make up: 64 hex digits."""
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
    """Return a key that identifies an engine. Cloned machines share the engine's id, so it includes the host name;
    Podman makes up its id for each call, so there it is the machine if known, else the endpoint."""
    return f"{engine.id or engine.machine_id or engine.endpoint} {engine.root_dir} {engine.name}"


def former_identity(engine: Engine) -> str:
    """Return the key that identified an engine as long as its machine was not known."""
    return engine_identity(replace(engine, machine_id=None))
