"""The parts of Docker's classic image store: image/<driver>/ tells of images, layers and containers, buildkit/ of the
build cache, and the folder of the driver holds the contents (moby: layer/filestore.go, image/fs.go)."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from dockersweep.engine.disk.bolt import Bucket, read_bolt
from dockersweep.engine.disk.found import Found, UnreadableStorageError

DRIVERS = frozenset({"overlay2", "fuse-overlayfs"})
"""The drivers that keep each layer in a folder of its own below their own folder."""


class _RootFS(msgspec.Struct):
    diff_ids: list[str] = []


class _ImageConfig(msgspec.Struct):
    rootfs: _RootFS


class _Value(msgspec.Struct):
    value: str = ""


_read_config = msgspec.json.Decoder(_ImageConfig).decode


def find_parts(root: Path, driver: str) -> list[Found]:
    """Return the parts of images, layers, containers and build-cache records below an engine's root."""
    if driver not in DRIVERS:
        raise UnreadableStorageError(f"the layout of the storage driver {driver} is not known")
    if not (root / "image" / driver / "imagedb").is_dir():
        raise UnreadableStorageError(f"{root} holds no images of {driver}")
    return [
        *_layers(root, driver),
        *_images(root / "image" / driver / "imagedb"),
        *_containers(root, driver),
        *_build_cache(root, driver),
    ]


def _entries(folder: Path) -> list[Path]:
    """The engine makes a folder when it first puts something there; what holds them all is there from the first."""
    return list(folder.iterdir()) if folder.exists() else []


def chain_id(diff_ids: Sequence[str]) -> str | None:
    """Return the id of the top layer of an image with these diff ids, the lowest first; None where there are none."""
    chain: str | None = None
    for diff_id in diff_ids:
        chain = _on_top_of(chain, diff_id) if chain else diff_id
    return chain


def _on_top_of(chain: str, diff_id: str) -> str:
    return "sha256:" + hashlib.sha256(f"{chain} {diff_id}".encode()).hexdigest()


def _layers(root: Path, driver: str) -> Iterator[Found]:
    for folder in _entries(root / "image" / driver / "layerdb" / "sha256"):
        try:
            cache_id = (folder / "cache-id").read_text()
            parent = (folder / "parent").read_text() if (folder / "parent").exists() else None
        except FileNotFoundError:
            # It went meanwhile, or it is one that the engine has yet to clean up: "<id>-removing".
            continue
        yield Found(
            id=f"layer:sha256:{folder.name}",
            needs=_layer(parent),
            places=(root / driver / cache_id, folder),
            never_changes=True,
        )


def _layer(chain: str | None) -> tuple[str, ...]:
    return (f"layer:{chain}",) if chain else ()


def _images(imagedb: Path) -> Iterator[Found]:
    for file in _entries(imagedb / "content" / "sha256"):
        try:
            config = _read_config(file.read_bytes())
        except FileNotFoundError:
            continue
        yield Found(
            id=f"image:sha256:{file.name}",
            needs=_layer(chain_id(config.rootfs.diff_ids)),
            places=(file, imagedb / "metadata" / "sha256" / file.name),
        )


def _containers(root: Path, driver: str) -> Iterator[Found]:
    """Besides containers these are the mounts of builds, which no list shows, and which keep their layers too."""
    for folder in _entries(root / "image" / driver / "layerdb" / "mounts"):
        try:
            mount = (folder / "mount-id").read_text()
            parent = (folder / "parent").read_text() if (folder / "parent").exists() else None
        except FileNotFoundError:
            continue
        yield Found(
            id=f"container:{folder.name}",
            needs=_layer(parent),
            places=(
                root / driver / mount,
                root / driver / f"{mount}-init",
                root / "containers" / folder.name,
                folder,
            ),
        )


def _build_cache(root: Path, driver: str) -> Iterator[Found]:
    """A record has a snapshot, which is a folder of its own or, once it was exported into an image, that image's
    layer (moby: builder-next/adapters/snapshot; buildkit: cache/metadata.go)."""
    folder = root / "buildkit"
    if not (folder / "metadata_v2.db").exists():
        return
    snapshots = read_bolt(folder / "snapshots.db").buckets()
    yield from _snapshots(snapshots, root / driver)
    records = read_bolt(folder / "metadata_v2.db").bucket(b"_main")
    for record, fields in (records.buckets() if records else {}).items():
        # Up to Docker 20.10 a snapshot has the id of its record.
        key = _text(fields.values().get(b"cache.snapshot")) or record.decode()
        # What was not committed yet has the snapshot of the record that it will replace.
        needs = _layer(key) if key.startswith("sha256:") else (f"snapshot:{key}",) if key.encode() in snapshots else ()
        yield Found(id=f"build-cache:{record.decode()}", needs=needs)
    yield from _contents(folder)


def _text(value: bytes | None) -> str:
    return msgspec.json.decode(value, type=_Value).value if value else ""


def _snapshots(snapshots: dict[bytes, Bucket], driver_folder: Path) -> Iterator[Found]:
    for key, bucket in snapshots.items():
        fields = bucket.values()
        if b"iscommitted" in fields or key.startswith(b"sha256:"):
            # The one belongs to the snapshot that it was committed as; the other is a layer under its own name.
            continue
        name = f"snapshot:{key.decode()}"
        if b"chainid" in fields:
            yield Found(id=name, needs=_layer(fields[b"chainid"].decode()))
            continue
        place = fields.get(b"committed") or key
        parent = (snapshots[place].values() if place in snapshots else fields).get(b"parent", b"").decode()
        yield Found(
            id=name,
            needs=_layer(parent) if parent.startswith("sha256:") else ((f"snapshot:{parent}",) if parent else ()),
            places=(driver_folder / place.decode(),),
        )


def _contents(folder: Path) -> Iterator[Found]:
    """BuildKit keeps blobs too (pulled layers, attestations, logs of builds); a record has a lease of its own id."""
    spaces = read_bolt(folder / "containerdmeta.db").bucket(b"v1")
    blobs: set[str] = set()
    for space, bucket in (spaces.buckets() if spaces else {}).items():
        leases = bucket.bucket(b"leases")
        for lease, fields in (leases.buckets() if leases else {}).items():
            held = fields.bucket(b"content")
            digests = [digest.decode() for digest, _ in held.items()] if held else []
            if digests:
                blobs.update(digests)
                needs = tuple(f"blob:{digest}" for digest in digests)
                yield Found(id=f"lease:{space.decode()}/{lease.decode()}", needs=needs)
    for digest in blobs:
        place = folder / "content" / "blobs" / digest.replace(":", "/")
        yield Found(id=f"blob:{digest}", places=(place,))
