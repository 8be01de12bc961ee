"""Archives for `docker load`, made in memory: images without a registry and without a build.

A layer is known by its name and its size: wherever these are the same, the layer is the same, bit by bit.
Its contents are random, so that no compression makes its size a lie.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.rig.engines.roots import FORKY_DOCKER

EPOCH = "2020-01-01T00:00:00Z"
"""When images say that they were built, where a test does not say otherwise."""

_APPLETS = ("sh", "true", "sleep", "dd", "cat", "kill", "touch", "mkdir", "rm", "ls")


@dataclass(frozen=True)
class ImageSpec:
    """An image to be."""

    tags: tuple[str, ...] = ()
    """Its names; with none it is dangling."""
    layers: Mapping[str, int | bytes] = field(default_factory=dict)
    """The bytes of each named layer, the lowest first; or a whole layer, as a tar."""
    labels: Mapping[str, str] = field(default_factory=dict)
    created: str | None = EPOCH
    runnable: bool = False
    """Whether its lowest layer is a busybox, so that containers of it can run."""
    volumes: tuple[str, ...] = ()
    """The folders that it declares as volumes."""
    commented: bool = False
    """Whether its history has entries without a layer around all others, as those of `ENV` or `CMD` are."""


@dataclass(frozen=True)
class _Layer:
    content: bytes
    diff_id: str
    note: str


def archive(images: Iterable[ImageSpec]) -> bytes:
    """The archive that loads all these images."""
    manifest: list[dict[str, Any]] = []
    files: dict[str, bytes] = {}
    for spec in images:
        layers = _layers(spec)
        files |= {_path(layer): layer.content for layer in layers}
        config = _config(spec, layers)
        name = f"{hashlib.sha256(config).hexdigest()}.json"
        files[name] = config
        manifest.append({"Config": name, "RepoTags": list(spec.tags) or None, "Layers": [_path(one) for one in layers]})
    files["manifest.json"] = json.dumps(manifest).encode()
    return tar(files)


def config_digest(spec: ImageSpec) -> str:
    """The digest of the image's configuration: its id, except on the containerd store."""
    return "sha256:" + hashlib.sha256(_config(spec, _layers(spec))).hexdigest()


def diff_ids(spec: ImageSpec) -> tuple[str, ...]:
    """The digests of the image's unpacked layers, the lowest first."""
    return tuple(layer.diff_id for layer in _layers(spec))


def random_bytes(name: str, size: int) -> bytes:
    """Bytes that no compression makes fewer, the same for the same name."""
    return random.Random(name).randbytes(size)


def _layers(spec: ImageSpec) -> list[_Layer]:
    named = [_named_layer(name, content) for name, content in spec.layers.items()]
    return [_busybox_layer(), *named] if spec.runnable else named


def _path(layer: _Layer) -> str:
    return f"{layer.diff_id.removeprefix('sha256:')}/layer.tar"


def _config(spec: ImageSpec, layers: list[_Layer]) -> bytes:
    stamp = {} if spec.created is None else {"created": spec.created}
    config: dict[str, Any] = {
        "architecture": "amd64",
        "os": "linux",
        **stamp,
        "config": {
            "Labels": dict(spec.labels),
            "Cmd": ["/bin/true"],
            **({"Volumes": {path: {} for path in spec.volumes}} if spec.volumes else {}),
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": list(_history(spec, layers, stamp)),
    }
    return json.dumps(config, sort_keys=True).encode()


def _history(spec: ImageSpec, layers: list[_Layer], stamp: dict[str, str]) -> Iterator[dict[str, Any]]:
    comment = [{**stamp, "created_by": "ENV A=1", "empty_layer": True}] if spec.commented else []
    yield from comment
    for layer in layers:
        yield {**stamp, "created_by": layer.note}
        yield from comment


def _named_layer(name: str, content: int | bytes) -> _Layer:
    return _random_layer(name, content) if isinstance(content, int) else _layer(content, f"litter {name}")


@lru_cache(maxsize=256)
def _random_layer(name: str, size: int) -> _Layer:
    return _layer(tar({f"layer/{name}": random_bytes(name, size)}), f"litter {name} {size}")


@lru_cache(maxsize=1)
def _busybox_layer() -> _Layer:
    busybox = (FORKY_DOCKER.build() / "usr/bin/busybox").read_bytes()
    links = {f"bin/{applet}": Path("busybox") for applet in _APPLETS}
    return _layer(tar({"bin/busybox": busybox, **links}), "busybox")


def _layer(content: bytes, note: str) -> _Layer:
    return _Layer(content, "sha256:" + hashlib.sha256(content).hexdigest(), note)


def tar(files: Mapping[str, bytes | Path]) -> bytes:
    """A tar of files, and of symbolic links where a path stands for the contents."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as target:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode = 0o755
            if isinstance(content, Path):
                entry.type, entry.linkname = tarfile.SYMTYPE, str(content)
                target.addfile(entry)
            else:
                entry.size = len(content)
                target.addfile(entry, io.BytesIO(content))
    # Without the zeros that pad the last record: Podman stops reading at the end of the archive, and then fails to pass
    # on what follows (buildah#6573).
    return buffer.getvalue()[: target.offset]
