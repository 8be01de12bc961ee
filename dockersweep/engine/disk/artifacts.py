"""Podman's artifacts (`podman artifact add`, from Podman 5.4 on): an OCI layout below its graph root.

The API for docker clients does not list them, `podman system df` does not count them and no prune removes them (tried
on 5.8 and 6.1). Each is a manifest that names its files; shared files are stored once.
"""

import re
from pathlib import Path

import msgspec

from dockersweep.engine.disk.walk import BLOCK_BYTES, TooLateError, Walker
from dockersweep.files import read_inside, state_of
from dockersweep.model.engine_folder import Artifact, ArtifactStore
from dockersweep.model.inventory import Engine

_LARGEST_BYTES = 16_000_000
_NAME = "org.opencontainers.image.ref.name"


class _Descriptor(msgspec.Struct):
    digest: str
    annotations: dict[str, str] = {}


class _Index(msgspec.Struct):
    manifests: list[_Descriptor] = []


class _Manifest(msgspec.Struct):
    config: _Descriptor | None = None
    layers: list[_Descriptor] = []


def read_artifacts(engine: Engine, root: Path, walker: Walker) -> ArtifactStore | None:
    """Return the artifacts in the folder of a Podman engine; None if there are none, or they cannot be read."""
    store = root / "artifacts"
    if engine.flavour != "podman":
        return None
    try:
        index = msgspec.json.decode(read_inside(store / "index.json", _LARGEST_BYTES), type=_Index)
        size = walker.measure([store]).high
    except (OSError, TooLateError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    counted: set[str] = set()
    artifacts = tuple(_artifact(store / "blobs", descriptor, counted) for descriptor in index.manifests)
    return ArtifactStore(folder=str(store), size_bytes=size, artifacts=artifacts) if artifacts else None


def _artifact(blobs: Path, descriptor: _Descriptor, counted: set[str]) -> Artifact:
    """Return an artifact with the size of its files that are not in `counted` yet, and add them there."""
    name = descriptor.annotations.get(_NAME, "")
    # Anything else is not a reference, and could act as an option in the command that a report suggests.
    name = name if name[:1].isalnum() else descriptor.digest
    try:
        file = _blob(blobs, descriptor.digest)
        manifest = msgspec.json.decode(read_inside(file, _LARGEST_BYTES), type=_Manifest)
        parts = [descriptor, *filter(None, (manifest.config,)), *manifest.layers]
        digests = dict.fromkeys(part.digest for part in parts if part.digest not in counted)
        size = sum(_disk_bytes(_blob(blobs, digest)) for digest in digests)
    except (OSError, ValueError, msgspec.MsgspecError):
        return Artifact(name=name, size_bytes=None)
    counted.update(digests)
    return Artifact(name=name, size_bytes=size)


def _blob(blobs: Path, digest: str) -> Path:
    """Return the path of a blob. Raises ValueError for an invalid digest, which might lead elsewhere."""
    if not re.fullmatch(r"[a-z0-9]{1,32}:[0-9a-f]{32,128}", digest):
        raise ValueError(f"{digest!r} is no digest")
    return blobs / digest.replace(":", "/")


def _disk_bytes(file: Path) -> int:
    state = state_of(file, follow_links=False)
    return state.st_blocks * BLOCK_BYTES if state else 0
