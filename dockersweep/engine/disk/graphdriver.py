"""Finds the parts of Docker's classic image store: image/<driver>/ has the metadata of images, layers and containers,
buildkit/ those of the build cache, and the driver's folder the contents (moby: layer/filestore.go, image/fs.go)."""

import contextlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from dockersweep.engine.disk.bolt import Bucket, read_bolt
from dockersweep.engine.disk.chain_id import chain_id
from dockersweep.engine.disk.image_mounts import layers_of_mounts
from dockersweep.engine.disk.parts import DiskPart, UnreadableStorageError
from dockersweep.files import AnyPath, FolderInside, is_folder, is_there, state_of
from dockersweep.model.inventory import Container

FOLDERS = {"overlay2": "overlay2", "fuse-overlayfs": "fuse-overlayfs", "vfs": "vfs/dir"}
"""Driver -> the folder with a folder for each layer."""
LARGEST_CONFIG_BYTES = 16_000_000
_LARGEST_NAME_BYTES = 1_000
_CHAIN = re.compile(r"[0-9a-f]{64}")
_SIZE = re.compile(r"[0-9]{1,18}")
_DRIVER_NAME = re.compile(r"[A-Za-z0-9-]{1,128}")
_OF_MOUNTED_IMAGE = re.compile(r"[0-9a-f]{64}-")


class _RootFS(msgspec.Struct):
    diff_ids: list[str] = []


class _ImageConfig(msgspec.Struct):
    rootfs: _RootFS


class _Value(msgspec.Struct):
    value: str = ""


_read_config = msgspec.json.Decoder(_ImageConfig).decode


def watched_paths(root: Path, driver: str) -> tuple[str, ...]:
    """Return folders and files, at least one of which changes whenever a part that `find_parts` finds appears or
    disappears (except layers of mounted images)."""
    store, cache = f"{root}/image/{driver}", f"{root}/buildkit"
    return (
        f"{store}/layerdb/sha256",
        f"{store}/layerdb/mounts",
        f"{store}/imagedb/content/sha256",
        f"{root}/{FOLDERS.get(driver, driver)}/l",
        *(f"{cache}/{name}.db" for name in ("metadata_v2", "snapshots", "containerdmeta")),
    )


def find_parts(root: Path, driver: str, listed: Iterable[Container]) -> list[DiskPart]:
    """Return the parts of images, layers, containers and build-cache records below an engine's root. The `listed`
    containers show whose the layers of mounted images are."""
    if driver not in FOLDERS:
        raise UnreadableStorageError(f"the layout of the storage driver {driver} is not known")
    if not is_folder(root / "image" / driver / "imagedb"):
        raise UnreadableStorageError(f"{root} holds no images of {driver}")
    layers = LayerFolders(root / FOLDERS[driver])
    mounted = layers_of_mounts(listed, root / FOLDERS[driver])
    return [
        *_layers(root / "image" / driver / "layerdb", layers),
        *_images(root / "image" / driver / "imagedb"),
        *_containers(root, root / "image" / driver / "layerdb" / "mounts", layers, mounted),
        *_build_cache(root / "buildkit", layers),
    ]


class LayerFolders:
    """The folders of a driver. Overlay drivers have a link to each in `l/`, with a name short enough for mount options;
    each link takes a block (containers/storage does the same)."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._links: dict[str, list[str]] = {}
        for link in _entries(f"{folder}/l"):
            try:
                # "../<name>/diff"
                name = os.readlink(link).split("/")[1]
            except (OSError, IndexError):
                continue
            self._links.setdefault(name, []).append(link)

    def places(self, name: str) -> tuple[str, ...]:
        """Return the folder of that name, and the links that are removed with it."""
        return (f"{self._folder}/{name}", *self._links.get(name, ()))


def _entries(folder: AnyPath) -> list[str]:
    """Return the paths in a folder; none if it does not exist, as the engine creates folders on first use."""
    return [f"{folder}/{name}" for name in _names_in(folder)]


def _names_in(folder: AnyPath) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _layers(layerdb: Path, layers: LayerFolders) -> Iterator[DiskPart]:
    home = layerdb / "sha256"
    # A failed removal leaves "<id>-<digits>-removing", which the engine ignores after a restart.
    names = [name for name in _names_in(home) if _CHAIN.fullmatch(name)]
    for layer in _named(home, names, "cache-id"):
        places = (*layers.places(layer.place), f"{home}/{layer.name}")
        layer_id = f"layer:sha256:{layer.name}"
        yield DiskPart(id=layer_id, needs=layer.needs, places=places, never_changes=True, length=layer.size)


class _LayerMetadata(NamedTuple):
    """The metadata of a layer."""

    name: str
    """The name of the metadata folder."""
    place: str
    """The name of the driver's folder."""
    needs: tuple[str, ...]
    """The parent layer."""
    size: int | None
    """The file lengths that the engine added up when the layer was made; None for writable layers."""


def _named(home: Path, names: Iterable[str], what: str) -> Iterator[_LayerMetadata]:
    """Yield the metadata in these folders, as far as they still exist. The file `what` names the driver's folder;
    raises ValueError where it does not."""
    waiting = list(names)
    if not waiting:
        return
    # Writable layers have no size.
    wanted = (what, "parent", "size") if what == "cache-id" else (what, "parent")
    with FolderInside(home) as files:
        for folder in waiting:
            contents = files.read_in(folder, wanted, _LARGEST_NAME_BYTES)
            name, parent, *sizes = [None if content is None else content.decode() for content in contents]
            if name is None:
                continue
            if not _DRIVER_NAME.fullmatch(name):
                raise ValueError(f"{home}/{folder}/{what} names no folder")
            size = sizes[0] if sizes else None
            known = int(size) if size and _SIZE.fullmatch(size) else None
            yield _LayerMetadata(folder, name, _layer(parent), known)


def _layer(chain: str | None) -> tuple[str, ...]:
    return (f"layer:{chain}",) if chain else ()


def _images(imagedb: Path) -> Iterator[DiskPart]:
    home = imagedb / "content" / "sha256"
    names = _names_in(home)
    if not names:
        return
    with FolderInside(home) as files:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                config = _read_config(files.read(name, LARGEST_CONFIG_BYTES))
                places = (f"{home}/{name}", f"{imagedb}/metadata/sha256/{name}")
                needs = _layer(chain_id(config.rootfs.diff_ids))
                yield DiskPart(id=f"image:sha256:{name}", needs=needs, places=places)


def _containers(root: Path, mounts: Path, layers: LayerFolders, mounted: Mapping[str, str]) -> Iterator[DiskPart]:
    """Yield the containers; also mounts of builds, which no list shows but which hold their layers too; and the layers
    of mounted images, each needed by its container. `mounted` maps the place of such a mount to the container."""
    owner_of = {place.partition("/")[0]: container for place, container in mounted.items()}
    needed: dict[str, list[str]] = {}
    for mount, container in owner_of.items():
        needed.setdefault(container, []).append(f"writable-layer:{mount}")
    for name, mount, needs, _ in _named(mounts, _mount_folders(mounts), "mount-id"):
        own, folder = layers.places(mount), f"{mounts}/{name}"
        if mount in owner_of:
            yield DiskPart(id=f"writable-layer:{mount}", needs=needs, places=(*own, folder))
            continue
        first = layers.places(f"{mount}-init")
        yield DiskPart(
            id=f"container:{name}",
            needs=(*needs, *needed.get(name, ())),
            places=(*own, f"{root}/containers/{name}", folder),
            counted=f"{own[0]}/diff",
            lower=DiskPart(id=f"layer:{mount}-init", places=first, never_changes=True),
        )


def _mount_folders(mounts: Path) -> Iterator[str]:
    """Yield the folders of mounts, as relative paths. Up to Docker 28.5 a mounted image's folder has the image's name
    as written: a slash in it makes nested folders, and the outer one may be another mounted image's."""
    waiting = _names_in(mounts)
    while waiting:
        folder = waiting.pop()
        yield folder
        if "/" in folder or _OF_MOUNTED_IMAGE.match(folder):
            within = [f"{folder}/{name}" for name in _names_in(mounts / folder)]
            waiting += [path for path in within if _is_real_folder(mounts / path)]


def _is_real_folder(path: Path) -> bool:
    state = state_of(path, follow_links=False)
    return state is not None and stat.S_ISDIR(state.st_mode)


def _build_cache(folder: Path, layers: LayerFolders) -> Iterator[DiskPart]:
    """Yield the build-cache records with their snapshots and blobs. A record's snapshot is a folder of its own or,
    after an export into an image, that image's layer (moby: builder-next/adapters/snapshot; buildkit:
    cache/metadata.go)."""
    if not is_there(folder / "metadata_v2.db"):
        return
    snapshots = _Snapshots(read_bolt(folder / "snapshots.db").buckets(), layers)
    leases = dict(_leases(folder / "containerdmeta.db"))
    records = read_bolt(folder / "metadata_v2.db").bucket(b"_main")
    for record, fields in (records.buckets() if records else {}).items():
        name = record.decode()
        # Up to Docker 20.10 a snapshot has the id of its record.
        key = _text(fields.values().get(b"cache.snapshot")) or name
        blobs = leases.pop(f"buildkit/{name}", _Lease()).blobs
        yield DiskPart(id=f"build-cache:{name}", needs=(*snapshots.needed(key), *map(_blob, blobs)))
        yield from _contents(folder, blobs)
    for name, lease in leases.items():
        # Not a record's lease: the history of builds, or a build in progress.
        needed = [need for key in lease.snapshots for need in snapshots.needed(key)]
        yield DiskPart(id=f"lease:{name}", needs=(*needed, *map(_blob, lease.blobs)))
        yield from _contents(folder, lease.blobs)
    yield from snapshots.reached()


def _text(value: bytes | None) -> str:
    return msgspec.json.decode(value, type=_Value).value if value else ""


class _Snapshots:
    """BuildKit's snapshots. Its database keeps entries of removed ones, so only snapshots that something needs surely
    exist."""

    def __init__(self, stored: dict[bytes, Bucket], layers: LayerFolders) -> None:
        self._stored = stored
        self._layers = layers
        self._found: dict[str, DiskPart] = {}

    def needed(self, key: str) -> tuple[str, ...]:
        """Return the id of a snapshot's part (a folder of its own, or a layer) for use in `needs`; empty if it has
        none."""
        if not key or key.startswith("sha256:"):
            return _layer(key)
        entry = self._stored.get(key.encode())
        if entry is None:
            # A record that is not committed yet uses the snapshot of the record that it will replace.
            return ()
        fields = entry.values()
        if b"chainid" in fields:
            return _layer(fields[b"chainid"].decode())
        name = f"snapshot:{key}"
        if name not in self._found:
            place = fields.get(b"committed", key.encode())
            parent = (self._stored[place].values() if place in self._stored else fields).get(b"parent", b"")
            # First without its parent: a damaged database may have a snapshot depend on itself.
            self._found[name] = DiskPart(id=name)
            places = self._layers.places(place.decode())
            self._found[name] = DiskPart(id=name, needs=self.needed(parent.decode()), places=places)
        return (name,)

    def reached(self) -> Iterable[DiskPart]:
        """Return the parts of all snapshots that `needed` was called for, and of their parents."""
        return self._found.values()


class _Lease(msgspec.Struct, frozen=True):
    """The blobs (digests) and snapshots (keys) that a lease keeps."""

    blobs: tuple[str, ...] = ()
    snapshots: tuple[str, ...] = ()


def _leases(path: Path) -> Iterator[tuple[str, _Lease]]:
    """Yield the leases by "namespace/id"; a record's lease has the record's id."""
    spaces = read_bolt(path).bucket(b"v1")
    for space, bucket in (spaces.buckets() if spaces else {}).items():
        leases = bucket.bucket(b"leases")
        for lease, fields in (leases.buckets() if leases else {}).items():
            held = _Lease(_names(fields, b"content"), _names(fields, b"snapshots", b"default"))
            yield f"{space.decode()}/{lease.decode()}", held


def _blob(digest: str) -> str:
    return f"blob:{digest}"


def _contents(folder: Path, blobs: Iterable[str]) -> Iterator[DiskPart]:
    """Yield BuildKit's blobs as parts: pulled layers, attestations, build logs."""
    for digest in blobs:
        yield DiskPart(id=_blob(digest), places=(f"{folder}/content/blobs/{digest.replace(':', '/')}",))


def _names(fields: Bucket, *path: bytes) -> tuple[str, ...]:
    bucket = fields.bucket(*path)
    return tuple(name.decode() for name, _ in bucket.items()) if bucket else ()
