"""Layers that are more than one file, and archives that are more than a list of images, for scenarios."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from tests.rig.engines.archive import EPOCH, random_bytes, tar

_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


@lru_cache(maxsize=4)
def small_files(name: str, count: int, size: int) -> bytes:
    """A layer of so many files of that size, a hundred to a folder."""
    content = random_bytes(name, count * size)
    return tar({f"{name}/{n // 100}/{n}": content[n * size : (n + 1) * size] for n in range(count)})


def deletions(*names: str) -> bytes:
    """A layer that deletes these files of the layers below, as whiteouts."""
    parts = (name.rpartition("/") for name in names)
    return tar({f"{folder}{slash}.wh.{name}": b"" for folder, slash, name in parts})


def hard_links(name: str, size: int, links: int) -> bytes:
    """A layer of one file of that size under several names."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as target:
        entry = tarfile.TarInfo(f"{name}/0")
        entry.size = size
        target.addfile(entry, io.BytesIO(random_bytes(name, size)))
        for number in range(1, links):
            link = tarfile.TarInfo(f"{name}/{number}")
            link.type, link.linkname = tarfile.LNKTYPE, f"{name}/0"
            target.addfile(link)
    return buffer.getvalue()


def half_empty(name: str, size: int) -> bytes:
    """A layer of that much that nothing compresses, and as much again that compresses to nothing."""
    return tar({f"layer/{name}": random_bytes(name, size), f"layer/{name}.zeros": bytes(size)})


@dataclass
class Blobs:
    """Blobs by their digests, as registries and OCI layouts have them."""

    content: dict[str, bytes] = field(default_factory=dict)

    def add(self, data: bytes, media_type: str) -> dict[str, Any]:
        """Add a blob, and return its descriptor."""
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.content[digest] = data
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def add_json(self, value: Mapping[str, Any], media_type: str) -> dict[str, Any]:
        """Add a document, and return its descriptor."""
        return self.add(json.dumps(value, sort_keys=True).encode(), media_type)

    def add_image(
        self, layers: Iterable[bytes], architecture: str = "amd64", *, packed: bool = False
    ) -> dict[str, Any]:
        """Add an image of these layers, and return the descriptor of its manifest."""
        plain = list(layers)
        config = {
            "architecture": architecture,
            "os": "linux",
            "created": EPOCH,
            "config": {"Cmd": ["/bin/true"]},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(one).hexdigest() for one in plain]},
            "history": [{"created": EPOCH, "created_by": f"layer {number}"} for number, _ in enumerate(plain)],
        }
        kept = [gzip.compress(one, compresslevel=1, mtime=0) if packed else one for one in plain]
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST_TYPE,
            "config": self.add_json(config, _CONFIG_TYPE),
            "layers": [self.add(one, _LAYER_TYPE + ("+gzip" if packed else "")) for one in kept],
        }
        platform = {"architecture": architecture, "os": "linux"}
        return {**self.add_json(manifest, _MANIFEST_TYPE), "platform": platform}

    def add_platforms(self, layers: Mapping[str, Iterable[bytes]], *, packed: bool = False) -> dict[str, Any]:
        """Add an image of these layers for each architecture, and return the descriptor of their index."""
        manifests = [self.add_image(content, architecture, packed=packed) for architecture, content in layers.items()]
        return self.add_json({"schemaVersion": 2, "mediaType": _INDEX_TYPE, "manifests": manifests}, _INDEX_TYPE)


def platforms_archive(tag: str, layers: Mapping[str, Iterable[bytes]]) -> bytes:
    """An archive of one image for several architectures; an engine that can only have one takes the first."""
    blobs = Blobs()
    index = blobs.add_platforms(layers)
    name, _, version = tag.rpartition(":")
    named = {
        "io.containerd.image.name": f"docker.io/library/{tag}",
        "org.opencontainers.image.ref.name": version,
    }
    first = json.loads(blobs.content[json.loads(blobs.content[index["digest"]])["manifests"][0]["digest"]])
    files = {_path(digest): data for digest, data in blobs.content.items()}
    files["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [{**index, "annotations": named}]}).encode()
    old = {
        "Config": _path(first["config"]["digest"]),
        "RepoTags": [f"{name}:{version}"],
        "Layers": [_path(layer["digest"]) for layer in first["layers"]],
    }
    files["manifest.json"] = json.dumps([old]).encode()
    return tar(files)


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
