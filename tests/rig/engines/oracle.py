"""What is stored once in a data root, piece by piece with its bytes, from the engine's own metadata.

An oracle for predictions in lengths: what is listed before a sweep and no longer after it has come back, to the byte,
however coarse the disk's own figures are. It knows the layouts of the engines of these tests and nothing of what
dockersweep makes of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

from tests.rig.engines.engine import Engine
from tests.rig.engines.truth import used_below

Pieces = Mapping[str, int]
"""The bytes of each piece, as its engine counts them. Names begin with the kind: image, layer, writable, blob,
snapshot, volume or log."""


def pieces(engine: Engine) -> Pieces:
    """Everything that is stored once on this engine."""
    root = engine.data_root
    found: Iterator[tuple[str, int]]
    if engine.kind.flavour == "podman":
        found = chain(_podman_layers(root), _podman_images(root))
    elif engine.kind.image_store == "containerd":
        found = _containerd_parts(engine.containerd_folder)
    else:
        found = _graphdriver_layers(root, engine.kind.image_store)
    return {name: size for source in (found, _volumes(root), _logs(root)) for name, size in source}


def gone_bytes(before: Pieces, after: Pieces, *kinds: str) -> int:
    """What has come back between two listings: pieces that are no longer there, of all kinds or of some."""
    gone = {name: size for name, size in before.items() if name not in after}
    return sum(size for name, size in gone.items() if not kinds or name.split()[0] in kinds)


_LAYERS = {"overlay2": ("overlay2", "diff"), "btrfs": ("btrfs/subvolumes", "")}
"""By driver: the folder of its folders, and where in each of them the files are."""


def _graphdriver_layers(root: Path, driver: str) -> Iterator[tuple[str, int]]:
    """Each folder of the driver: with the size that was counted when it was applied, or else what lies in it.

    The former are layers of images; the latter are writable layers, and what only the build cache knows.
    """
    applied = {}
    layerdb = root / "image" / driver / "layerdb"
    for layer in _below(layerdb / "sha256"):
        applied[(layer / "cache-id").read_text()] = int((layer / "size").read_text())
    # Docker 28.5 left one of an image mount behind, without that file, after its container had gone.
    mounts = [mount / "mount-id" for mount in _below(layerdb / "mounts")]
    writable = {mount.read_text() for mount in mounts if mount.exists()}
    home, files = _LAYERS[driver]
    for folder in _below(root / home):
        # What lies between an image and a container's writable layer is a mount point or two, and counted by nobody.
        if not (folder / files).is_dir() or folder.name.endswith("-init"):
            continue
        if folder.name in applied:
            yield f"layer {folder.name}", applied[folder.name]
        else:
            kind = "writable" if folder.name in writable else "layer"
            # A subvolume has all that is below it in it as well.
            below = used_below(folder.with_name(f"{folder.name}-init")).lengths if driver == "btrfs" else 0
            yield f"{kind} {folder.name}", used_below(folder / files).lengths - below


def _containerd_parts(daemon: Path) -> Iterator[tuple[str, int]]:
    """Blobs by their lengths; snapshots by their blocks and with their folders, which is how containerd counts them."""
    for blob in _below(daemon / "io.containerd.content.v1.content/blobs/sha256"):
        yield f"blob {blob.name}", blob.stat().st_size
    for snapshot in _below(daemon / "io.containerd.snapshotter.v1.overlayfs/snapshots"):
        top = snapshot / "fs"
        yield f"snapshot {snapshot.name}", used_below(top).disk + top.lstat().st_blocks * 512


def _podman_layers(root: Path) -> Iterator[tuple[str, int]]:
    """Layers of images by the lengths of their tars, which is how Podman counts them; others by what lies in them."""
    listing = root / "overlay-layers/layers.json"
    for layer in json.loads(listing.read_text()) if listing.exists() else []:
        size = layer.get("diff-size")
        diff = root / "overlay" / layer["id"] / "diff"
        if size is None:
            yield f"writable {layer['id']}", used_below(diff).lengths
        else:
            yield f"layer {layer['id']}", size


def _podman_images(root: Path) -> Iterator[tuple[str, int]]:
    """An image's own documents, which Podman adds to its size: its configuration, and its manifest, kept twice."""
    listing = root / "overlay-images/images.json"
    for image in json.loads(listing.read_text()) if listing.exists() else []:
        yield f"image {image['id']}", sum(image.get("big-data-sizes", {}).values())


def _volumes(root: Path) -> Iterator[tuple[str, int]]:
    for volume in _below(root / "volumes"):
        if volume.is_dir():
            yield f"volume {volume.name}", used_below(volume / "_data").lengths


def _logs(root: Path) -> Iterator[tuple[str, int]]:
    for log in [*root.glob("containers/*/*-json.log"), *root.glob("overlay-containers/*/userdata/ctr.log")]:
        yield f"log {log.name} of {log.parent}", log.stat().st_size


def _below(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
