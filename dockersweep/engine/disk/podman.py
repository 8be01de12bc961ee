"""Finds the parts of containers/storage, Podman's store of images and containers (overlay-*/*.json)."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from dockersweep.engine.disk.graphdriver import LayerFolders
from dockersweep.engine.disk.parts import DiskPart, UnreadableStorageError
from dockersweep.files import read_inside

Shape = TypeVar("Shape")
_LARGEST_BYTES = 256_000_000
"""The limit for a list, which has a few hundred bytes for each layer."""
_LISTED = ("layers", "images", "containers")


class _Named(msgspec.Struct):
    id: str


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


def watched_paths(root: Path) -> tuple[str, ...]:
    """Return folders and files, at least one of which changes whenever a part that `find_parts` finds appears or
    disappears."""
    lists = (f"{root}/overlay-{kind}/{kept}{kind}" for kind in _LISTED for kept in ("", "volatile-"))
    return (f"{root}/overlay/l", *(f"{path}.json" for path in lists))


def find_parts(root: Path, images_in: Path, driver: str) -> list[DiskPart]:
    """Return the parts of images, layers and containers below Podman's graph root, and below `images_in`, the folder of
    its images, which may be another one."""
    if driver != "overlay":
        raise UnreadableStorageError(f"the layout of the storage driver {driver} is not known")
    layers = [part for store in dict.fromkeys((root, images_in)) for part in _layers(root, store)]
    return [*layers, *_images(images_in / "overlay-images"), *_containers(root / "overlay-containers")]


def _layers(root: Path, store: Path) -> Iterator[DiskPart]:
    """Yield the layers in a store. Layers in a separate image store have their lists of files in the graph root."""
    layers = LayerFolders(store / "overlay")
    writable = {layer.layer for layer in _stored_containers(root / "overlay-containers")}
    for file in ("layers.json", "volatile-layers.json"):
        for layer in _read_list(store / "overlay-layers", file, list[_Layer]):
            own = layers.places(layer.id)
            yield DiskPart(
                id=f"writable-layer:{layer.id}" if layer.id in writable else f"layer:{layer.id}",
                needs=(f"layer:{layer.parent}",) if layer.parent else (),
                places=(*own, f"{root}/overlay-layers/{layer.id}.tar-split.gz"),
                never_changes=layer.id not in writable,
                counted=f"{own[0]}/diff" if layer.id in writable else None,
            )


def _images(folder: Path) -> Iterator[DiskPart]:
    for image in _read_list(folder, "images.json", list[_Image]):
        needs = tuple(f"layer:{layer_id}" for layer_id in (image.layer, *image.mapped_layers) if layer_id)
        yield DiskPart(id=f"image:sha256:{image.id}", needs=needs, places=(f"{folder}/{image.id}",))


def _containers(folder: Path) -> Iterator[DiskPart]:
    """Yield the containers. A container's writable layer is a layer like others, and so needs those of its image."""
    for container in _stored_containers(folder):
        needs = (f"writable-layer:{container.layer}",) if container.layer else ()
        own = f"{folder}/{container.id}"
        yield DiskPart(id=f"container:{container.id}", needs=needs, places=(own,), counted=f"{own}/userdata")


def named_folders(root: Path, run_root: Path) -> set[Path]:
    """Return the folders of the layers and containers that the lists name. With --transient-store, containers and their
    layers are only in lists of the run root, which a boot clears (tried on 5.8 and 6.1). Raises OSError where that is
    not on this machine."""
    _check_run_root(run_root, "overlay")
    lists = (("overlay", "layers"), ("overlay-containers", "containers"))
    return {
        root / folder / entry.id
        for folder, name in lists
        for place, file in (
            (root, f"{name}.json"),
            (root, f"volatile-{name}.json"),
            (run_root, f"volatile-{name}.json"),
        )
        for entry in _read_list(place / f"overlay-{name}", file, list[_Named])
    }


def _check_run_root(run_root: Path, driver: str) -> Path:
    """Return the folder of mount records, which Podman creates before it answers. Raises OSError where it is
    missing."""
    folder = run_root / f"{driver}-layers"
    os.stat(folder)
    return folder


def mounted_images(stores: Iterable[Path], driver: str, run_root: Path) -> list[tuple[str, str, str]]:
    """Return the images in these stores that are mounted by `podman image mount`: the image's id, the id of its mounted
    layer, and the mount point. The storage records mounts in its run root, which a boot clears. Raises OSError where
    that is not on this machine, as in a container that sees only the engine's folder."""
    folder = _check_run_root(run_root, driver)
    mounts = {
        mount.id: mount.path for mount in _read_list(folder, "mountpoints.json", list[_MountPoint]) if mount.count > 0
    }
    folders = [store / f"{driver}-images" for store in stores] if mounts else []
    images = [image for folder in folders for image in _read_list(folder, "images.json", list[_Image])]
    return [
        (f"sha256:{image.id}", layer, mounts[layer])
        for image in images
        for layer in (image.layer, *image.mapped_layers)
        if layer in mounts
    ]


def layer_of_container(root: Path, container_id: str) -> str | None:
    """Return the id of a container's writable layer; None where the lists below the graph root do not have it."""
    stored = _stored_containers(root / "overlay-containers")
    return next((container.layer for container in stored if container.id == container_id), None)


def _stored_containers(folder: Path) -> Iterator[_Container]:
    for file in ("containers.json", "volatile-containers.json"):
        yield from _read_list(folder, file, list[_Container])


def _read_list(folder: Path, file: str, shape: type[list[Shape]]) -> list[Shape]:
    """Read one of the lists, empty if it does not exist: volatile lists exist only if they have entries."""
    try:
        data = read_inside(folder / file, _LARGEST_BYTES)
    except FileNotFoundError:
        return []
    return msgspec.json.decode(data, type=shape)
