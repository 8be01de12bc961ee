"""The parts of containers/storage, which Podman keeps its images and containers in (overlay-*/*.json)."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from dockersweep.engine.disk.found import Found, UnreadableStorageError
from dockersweep.engine.disk.graphdriver import LayerFolders
from dockersweep.files import read_inside

Shape = TypeVar("Shape")
_LARGEST_BYTES = 256_000_000
"""Of a list, which has some hundred bytes for each layer."""


class _Layer(msgspec.Struct):
    id: str
    parent: str = ""


class _Image(msgspec.Struct, rename="kebab"):
    id: str
    layer: str = ""
    mapped_layers: list[str] = []


class _Container(msgspec.Struct):
    id: str
    layer: str = ""


class _MountPoint(msgspec.Struct):
    id: str
    path: str = ""
    count: int = 0


def find_parts(root: Path, driver: str) -> list[Found]:
    """Return the parts of images, layers and containers below Podman's graph root."""
    if driver != "overlay":
        raise UnreadableStorageError(f"the layout of the storage driver {driver} is not known")
    return [*_layers(root), *_images(root / "overlay-images"), *_containers(root / "overlay-containers")]


def _layers(root: Path) -> Iterator[Found]:
    folder = root / "overlay-layers"
    layers = LayerFolders(root / "overlay")
    writable = {seen.layer for seen in _containers_told(root / "overlay-containers")}
    for file in ("layers.json", "volatile-layers.json"):
        for seen in _told(folder, file, list[_Layer]):
            yield Found(
                id=f"writable-layer:{seen.id}" if seen.id in writable else f"layer:{seen.id}",
                needs=(f"layer:{seen.parent}",) if seen.parent else (),
                places=(*layers.places(seen.id), folder / f"{seen.id}.tar-split.gz"),
                never_changes=seen.id not in writable,
            )


def _images(folder: Path) -> Iterator[Found]:
    for seen in _told(folder, "images.json", list[_Image]):
        needs = tuple(f"layer:{layer}" for layer in (seen.layer, *seen.mapped_layers) if layer)
        yield Found(id=f"image:sha256:{seen.id}", needs=needs, places=(folder / seen.id,))


def _containers(folder: Path) -> Iterator[Found]:
    """A container's writable layer is a layer like others, and so keeps those of its image."""
    for seen in _containers_told(folder):
        needs = (f"writable-layer:{seen.layer}",) if seen.layer else ()
        yield Found(id=f"container:{seen.id}", needs=needs, places=(folder / seen.id,))


def mounted_images(root: Path, driver: str, run_root: Path) -> list[tuple[str, str, str]]:
    """Return the images that are mounted by themselves, as `podman image mount` does it: the image's id, the id of its
    layer that is mounted, and where. The storage notes all mounts in its run root, which a boot empties. Raises OSError
    where that is not on this machine, as in a container that sees only the engine's folder."""
    folder = run_root / f"{driver}-layers"
    # Podman makes it before it answers.
    os.stat(folder)
    mounts = {seen.id: seen.path for seen in _told(folder, "mountpoints.json", list[_MountPoint]) if seen.count > 0}
    images = _told(root / f"{driver}-images", "images.json", list[_Image]) if mounts else []
    return [
        (f"sha256:{image.id}", layer, mounts[layer])
        for image in images
        for layer in (image.layer, *image.mapped_layers)
        if layer in mounts
    ]


def _containers_told(folder: Path) -> Iterator[_Container]:
    for file in ("containers.json", "volatile-containers.json"):
        yield from _told(folder, file, list[_Container])


def _told(folder: Path, file: str, shape: type[list[Shape]]) -> list[Shape]:
    """Read one of the lists; the volatile ones are there only where something is in them."""
    try:
        data = read_inside(folder / file, _LARGEST_BYTES)
    except FileNotFoundError:
        return []
    return msgspec.json.decode(data, type=shape)
