"""The parts of Docker's classic image store: image/<driver>/ tells of images, layers and containers, buildkit/ of the
build cache, and the folder of the driver holds the contents (moby: layer/filestore.go, image/fs.go)."""

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
"""Where the drivers that keep each layer in a folder of its own have those folders."""
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


def found_in(root: Path, driver: str) -> tuple[str, ...]:
    """Return the folders and files of which one changes whenever something comes or goes that `find_parts` finds, but
    for the layers of mounted images."""
    store, cache = f"{root}/image/{driver}", f"{root}/buildkit"
    return (
        f"{store}/layerdb/sha256",
        f"{store}/layerdb/mounts",
        f"{store}/imagedb/content/sha256",
        f"{root}/{FOLDERS.get(driver, driver)}/l",
        *(f"{cache}/{name}.db" for name in ("metadata_v2", "snapshots", "containerdmeta")),
    )


def find_parts(root: Path, driver: str, listed: Iterable[Container]) -> list[DiskPart]:
    """Return the parts of images, layers, containers and build-cache records below an engine's root. The containers
    that the engine lists tell whose the layers of mounted images are."""
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
    """The folders of a driver. Overlay drivers have a link to each, whose name is short enough for mount options,
    and which takes a block of its own (`l/` beside the folders; containers/storage has the same)."""

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
        """Return what goes with the folder of that name, itself first."""
        return (f"{self._folder}/{name}", *self._links.get(name, ()))


def _entries(folder: AnyPath) -> list[str]:
    """The engine makes a folder when it first puts something there; what holds them all is there from the first."""
    return [f"{folder}/{name}" for name in _names_in(folder)]


def _names_in(folder: AnyPath) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _layers(layerdb: Path, layers: LayerFolders) -> Iterator[DiskPart]:
    home = layerdb / "sha256"
    # A removal that failed leaves "<id>-<digits>-removing", which the engine forgets when it starts again.
    names = [name for name in _names_in(home) if _CHAIN.fullmatch(name)]
    for told in _named(home, names, "cache-id"):
        places = (*layers.places(told.place), f"{home}/{told.name}")
        layer_id = f"layer:sha256:{told.name}"
        yield DiskPart(id=layer_id, needs=told.needs, places=places, never_changes=True, length=told.size)


class _Told(NamedTuple):
    """What a folder of metadata tells of a layer."""

    name: str
    """Of the folder."""
    place: str
    """The name of a folder of the driver."""
    needs: tuple[str, ...]
    """The layer that it depends on."""
    size: int | None
    """The lengths of its files, as the engine added them up when it was made; what is written to has none."""


def _named(home: Path, names: Iterable[str], what: str) -> Iterator[_Told]:
    """Yield what is told in the folders of these names that are still there; the file `what` names the folder of the
    driver. Raises ValueError where it does not."""
    waiting = list(names)
    if not waiting:
        return
    # What is written to has no size.
    wanted = (what, "parent", "size") if what == "cache-id" else (what, "parent")
    with FolderInside(home) as files:
        for folder in waiting:
            told = files.read_in(folder, wanted, _LARGEST_NAME_BYTES)
            name, parent, *sizes = [None if one is None else one.decode() for one in told]
            if name is None:
                continue
            if not _DRIVER_NAME.fullmatch(name):
                raise ValueError(f"{home}/{folder}/{what} names no folder")
            size = sizes[0] if sizes else None
            known = int(size) if size and _SIZE.fullmatch(size) else None
            yield _Told(folder, name, _layer(parent), known)


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
    """Besides containers these are the mounts of builds, which no list shows, and which keep their layers too; and the
    layers of mounted images, each needed by its container. `mounted` are the containers by where they have those."""
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
    """Yield the folders of mounts, as paths from there. Up to Docker 28.5 that of a mounted image has its name as it
    was written, so that a slash in it makes a folder in a folder, which may be that of another mounted image too."""
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
    """A record has a snapshot, which is a folder of its own or, once it was exported into an image, that image's
    layer (moby: builder-next/adapters/snapshot; buildkit: cache/metadata.go)."""
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
        # It is no record's: the history of builds, or what a build works on.
        needed = [need for key in lease.snapshots for need in snapshots.needed(key)]
        yield DiskPart(id=f"lease:{name}", needs=(*needed, *map(_blob, lease.blobs)))
        yield from _contents(folder, lease.blobs)
    yield from snapshots.reached()


def _text(value: bytes | None) -> str:
    return msgspec.json.decode(value, type=_Value).value if value else ""


class _Snapshots:
    """BuildKit's snapshots. Entries of those that are gone stay in its database, so that only what something needs is
    there for certain."""

    def __init__(self, told: dict[bytes, Bucket], layers: LayerFolders) -> None:
        self._told = told
        self._layers = layers
        self._found: dict[str, DiskPart] = {}

    def needed(self, key: str) -> tuple[str, ...]:
        """Return the part that a snapshot is, a folder of its own or a layer, as what something needs."""
        if not key or key.startswith("sha256:"):
            return _layer(key)
        told = self._told.get(key.encode())
        if told is None:
            # What was not committed yet has the snapshot of the record that it will replace.
            return ()
        fields = told.values()
        if b"chainid" in fields:
            return _layer(fields[b"chainid"].decode())
        name = f"snapshot:{key}"
        if name not in self._found:
            place = fields.get(b"committed", key.encode())
            parent = (self._told[place].values() if place in self._told else fields).get(b"parent", b"")
            # First without its parent: a damaged database may have a snapshot depend on itself.
            self._found[name] = DiskPart(id=name)
            places = self._layers.places(place.decode())
            self._found[name] = DiskPart(id=name, needs=self.needed(parent.decode()), places=places)
        return (name,)

    def reached(self) -> Iterable[DiskPart]:
        """Return all that was needed."""
        return self._found.values()


class _Lease(msgspec.Struct, frozen=True):
    """What a lease keeps: the digests of blobs, and the keys of snapshots."""

    blobs: tuple[str, ...] = ()
    snapshots: tuple[str, ...] = ()


def _leases(path: Path) -> Iterator[tuple[str, _Lease]]:
    """Yield the leases by namespace and id; that of a record has its id."""
    spaces = read_bolt(path).bucket(b"v1")
    for space, bucket in (spaces.buckets() if spaces else {}).items():
        leases = bucket.bucket(b"leases")
        for lease, fields in (leases.buckets() if leases else {}).items():
            held = _Lease(_names(fields, b"content"), _names(fields, b"snapshots", b"default"))
            yield f"{space.decode()}/{lease.decode()}", held


def _blob(digest: str) -> str:
    return f"blob:{digest}"


def _contents(folder: Path, blobs: Iterable[str]) -> Iterator[DiskPart]:
    """BuildKit keeps blobs too: pulled layers, attestations, logs of builds."""
    for digest in blobs:
        yield DiskPart(id=_blob(digest), places=(f"{folder}/content/blobs/{digest.replace(':', '/')}",))


def _names(fields: Bucket, *path: bytes) -> tuple[str, ...]:
    bucket = fields.bucket(*path)
    return tuple(name.decode() for name, _ in bucket.items()) if bucket else ()
