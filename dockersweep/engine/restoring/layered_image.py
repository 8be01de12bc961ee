"""An image with one more layer: what a container had written, with what it had deleted.

No engine takes deletions into a container (a tar that is put into one only adds), but every engine takes them in the
layers of an image.
"""

import hashlib
import tarfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from dockersweep.engine.api.creations import Creations
from dockersweep.engine.archiving.tar_members import TarReader
from dockersweep.errors import EngineError
from dockersweep.model.inspect_document import Json, part, values
from dockersweep.model.naming import short_id
from dockersweep.model.restoring import RESTORED_FROM

_BLOCK_BYTES = 512
_PLAIN_FILES = (b"0", b"\0")
_OF_SAVED = ("manifest.json", "index.json", "oci-layout", "repositories")
"""What an engine says of the images in its tar; our own manifest takes its place."""

Layer = Callable[[], Iterator[bytes]]
"""Return the tar of a layer, from its beginning."""


class LayerFacts(Struct, frozen=True):
    """What has to be known of a layer before it is sent."""

    diff_id: str
    size_bytes: int


def facts_of(layer: Iterable[bytes]) -> LayerFacts:
    """Read a layer once; return its digest and its length."""
    digest, size = hashlib.sha256(), 0
    for piece in layer:
        digest.update(piece)
        size += len(piece)
    return LayerFacts(f"sha256:{digest.hexdigest()}", size)


def load_layered(calls: Creations, image_id: str, layer: Layer, tag: str, mark: str, comment: str) -> None:
    """Load an image that is another one and a layer, under a tag; `mark` is its label that says of which run.

    Raises EngineError, and what reading raises.
    """
    document = calls.image_document(image_id)
    if document is None:
        raise EngineError(f"its image {short_id(image_id)} is gone")
    facts = facts_of(layer())
    config = layered_config(document, facts.diff_id, mark, comment)
    if calls.quirks.loads_only_new_layers:
        calls.load_images(_tar_of_new(document, config, facts, layer, tag))
        return
    with calls.image_tar(image_id) as saved:
        calls.load_images(_tar_of_all(saved, len(layers_of(document)), config, facts, layer, tag))


def layers_of(document: Json) -> list[str]:
    """Return the digests of the layers of an image, the lowest first."""
    return [str(layer) for layer in values(part(document, "RootFS"), "Layers")]


def layered_config(document: Json, diff_id: str, mark: str, comment: str) -> bytes:
    """Return the configuration of an image like that of a document, with one more layer."""
    layers = layers_of(document)
    settings = part(document, "Config")
    created = document.get("Created") or "1970-01-01T00:00:00Z"
    config: dict[str, Any] = {
        "architecture": document.get("Architecture") or "amd64",
        "os": document.get("Os") or "linux",
        "created": created,
        "config": {**settings, "Labels": {**part(settings, "Labels"), RESTORED_FROM: mark}},
        "rootfs": {"type": "layers", "diff_ids": [*layers, diff_id]},
        "history": [
            *({"created": created, "created_by": "a layer of the container's image"} for _ in layers),
            {"created": created, "created_by": comment},
        ],
    }
    if document.get("Variant"):
        config["variant"] = document["Variant"]
    return msgspec.json.encode(config)


def _tar_of_new(document: Json, config: bytes, facts: LayerFacts, layer: Layer, tag: str) -> Iterator[bytes]:
    """Yield the tar of an image without the layers that the engine has: it takes them from its own store."""
    names = [_layer_path(digest) for digest in layers_of(document)]
    yield from _own_members(config, facts, layer, tag, names)


def _tar_of_all(
    saved: Iterable[bytes], count: int, config: bytes, facts: LayerFacts, layer: Layer, tag: str
) -> Iterator[bytes]:
    """Yield the tar of an image with all of its layers, as the engine saves them, and one more."""
    layers: list[list[str]] = []
    reader = TarReader(saved)
    for member in reader.members():
        name = member.path.decode("utf-8", "surrogateescape")
        if name == "manifest.json":
            layers = _layers_in(b"".join(reader.data())[: member.size])
        elif name not in _OF_SAVED and member.type in _PLAIN_FILES:
            yield member.header
            yield from reader.data()
    names = next((names for names in layers if len(names) == count), None)
    if names is None:
        raise EngineError(f"the engine does not save the {count} layers that it says the image has")
    yield from _own_members(config, facts, layer, tag, names)


def _own_members(config: bytes, facts: LayerFacts, layer: Layer, tag: str, layers: list[str]) -> Iterator[bytes]:
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    own = _layer_path(facts.diff_id)
    manifest = [{"Config": config_name, "RepoTags": [tag], "Layers": [*layers, own]}]
    yield from _member(config_name, len(config), (config,))
    yield from _member(own, facts.size_bytes, layer())
    encoded = msgspec.json.encode(manifest)
    yield from _member("manifest.json", len(encoded), (encoded,))
    yield bytes(2 * _BLOCK_BYTES)


def _layer_path(diff_id: str) -> str:
    return f"{diff_id.removeprefix('sha256:')}/layer.tar"


def _member(name: str, size: int, content: Iterable[bytes]) -> Iterator[bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    yield info.tobuf(tarfile.GNU_FORMAT)
    yield from content
    yield bytes(-size % _BLOCK_BYTES)


class _ManifestEntry(Struct, rename="pascal"):
    layers: list[str]


def _layers_in(manifest: bytes) -> list[list[str]]:
    """Return the names of the layers of each image in a tar."""
    try:
        return [entry.layers for entry in msgspec.json.decode(manifest, type=list[_ManifestEntry])]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EngineError(f"the engine saves an image with a manifest that is none: {error}") from None
