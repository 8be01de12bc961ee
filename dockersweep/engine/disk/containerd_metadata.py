"""What containerd's own database says: the names, contents, snapshots and leases of each of its namespaces.

See core/metadata/{buckets,gc,leases}.go of containerd.
"""

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from dockersweep.engine.disk.bolt import Bucket, read_bolt

SNAPSHOTTER = "overlayfs"
_REFERENCE = re.compile(r"containerd\.io/gc\.ref\.(?:(content|image)(?:[./].*)?|snapshot\.([^/]*)(?:/.*)?)", re.DOTALL)
_ROOT, _FLAT, _EXPIRES = "containerd.io/gc.root", "containerd.io/gc.flat", "containerd.io/gc.expire"
_TEMPORARY = "buildkit/lease.temporary"
_GO_TIME = struct.Struct(">BqI")

Entry = Mapping[bytes, bytes | Bucket]


@dataclass(frozen=True)
class Blob:
    """What is recorded of a piece of content."""

    labels: Mapping[str, str]
    created_ns: int
    """When it came to be here, in nanoseconds since the year 1."""
    updated_ns: int
    """When its labels were last written."""


@dataclass
class Namespace:
    """What one namespace of containerd has; content and snapshots by the ids of their parts."""

    name: str
    bucket: Bucket
    is_the_engines: bool
    blobs: dict[str, Blob] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    """The content that each name of an image points at."""
    snapshots: dict[str, Entry] = field(default_factory=dict)
    links: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What labels tie to content and to images, which have the id `name:NAME` here."""
    pinned: list[str] = field(default_factory=list)
    """What labels keep for good."""

    def id_of(self, kind: str, key: str) -> str:
        """The id of a part; other namespaces than the engine's own say which they are."""
        return f"{kind}:{key}" if self.is_the_engines else f"{kind}:{self.name}/{key}"

    def linked(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """What labels say that their owner refers to."""
        return tuple(self._targets(labels))

    def reach(self, starts: Iterable[str]) -> set[str]:
        """All that is reached from there by labels."""
        found: set[str] = set()
        waiting = list(starts)
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += self.links.get(one, ())
        return found

    def _targets(self, labels: Mapping[str, str]) -> Iterator[str]:
        for key, value in labels.items():
            if not (match := _REFERENCE.fullmatch(key)):
                continue
            if match[1] == "content":
                yield f"blob:{value}"
            elif match[1] == "image":
                yield f"name:{value}"
            elif match[2] == SNAPSHOTTER:
                yield self.id_of("snapshot", value)


def read_namespaces(path: Path, of_engine: str) -> list[Namespace]:
    """Read containerd's own metadata; `of_engine` is the namespace that the engine works in.

    Raises ValueError where they are not as they are known to be, BoltError and OSError.
    """
    schema = read_bolt(path).bucket(b"v1")
    if schema is None:
        raise ValueError(f"{path} has no bucket v1")
    found = []
    for name, bucket in schema.buckets().items():
        namespace = Namespace(name.decode(), bucket, name.decode() == of_engine)
        _read_content(namespace)
        _read_images(namespace)
        _read_snapshots(namespace)
        found.append(namespace)
    return found


def _read_content(namespace: Namespace) -> None:
    for digest, blob in entries(namespace.bucket, b"content", b"blob"):
        labels = labels_of(blob)
        key = f"blob:{digest}"
        times = (_instant_ns(bytes_of(blob, name)) for name in (b"createdat", b"updatedat"))
        namespace.blobs[key] = Blob(labels, *times)
        namespace.links[key] = namespace.linked(labels)
        if _ROOT in labels:
            namespace.pinned.append(key)


def _read_images(namespace: Namespace) -> None:
    for name, image in entries(namespace.bucket, b"images"):
        labels = labels_of(image)
        target = image.get(b"target")
        digest = target.values().get(b"digest", b"") if isinstance(target, Bucket) else b""
        content = f"blob:{digest.decode()}"
        namespace.links[f"name:{name}"] = (content, *namespace.linked(labels))
        if not _has_expired(labels):
            namespace.images[name] = content


def _read_snapshots(namespace: Namespace) -> None:
    for snapshotter, bucket in _buckets(namespace.bucket, b"snapshots"):
        snapshots = list(entries(bucket))
        if snapshots and snapshotter != SNAPSHOTTER:
            raise ValueError(f"there are snapshots of {snapshotter}, and only those of {SNAPSHOTTER} are known")
        for key, snapshot in snapshots:
            part = namespace.id_of("snapshot", key)
            namespace.snapshots[part] = snapshot
            if _ROOT in labels_of(snapshot):
                namespace.pinned.append(part)


def leases_of(namespace: Namespace) -> Iterator[tuple[str, set[str]]]:
    """Yield the leases that hold, each with the ids of the parts that it keeps: of a flat one just what it names."""
    for key, lease in entries(namespace.bucket, b"leases"):
        labels = labels_of(lease)
        # What BuildKit holds for minutes after it has looked at an image, it lets go when any record is removed.
        if _has_expired(labels) or (_TEMPORARY in labels and _EXPIRES in labels):
            continue
        held = {f"blob:{digest}" for digest in keys(lease, b"content")}
        snapshots = lease.get(b"snapshots")
        if isinstance(snapshots, Bucket):
            of_ours = snapshots.buckets().get(SNAPSHOTTER.encode())
            held |= {namespace.id_of("snapshot", one.decode()) for one in (of_ours.values() if of_ours else ())}
        names = {f"name:{name}" for name in keys(lease, b"images")}
        if _FLAT in labels:
            yield key, held | {link for name in names for link in namespace.links.get(name, ())[:1]}
        else:
            yield key, namespace.reach(held | names)


def running_of(namespace: Namespace) -> Iterator[tuple[str, set[str]]]:
    """What containerd's own containers and sandboxes keep, which are there while they run."""
    for kind in (b"containers", b"sandboxes"):
        for key, one in entries(namespace.bucket, kind):
            held = set(namespace.linked(labels_of(one)))
            snapshot = one.get(b"snapshotKey")
            if isinstance(snapshot, bytes) and one.get(b"snapshotter") == SNAPSHOTTER.encode():
                held.add(namespace.id_of("snapshot", snapshot.decode()))
            yield key, namespace.reach(held)


def _buckets(bucket: Bucket | None, *names: bytes) -> Iterator[tuple[str, Bucket]]:
    inner = bucket.bucket(*names) if bucket else None
    for key, value in inner.buckets().items() if inner else ():
        yield key.decode(), value


def entries(bucket: Bucket | None, *names: bytes) -> Iterator[tuple[str, Entry]]:
    """Yield the buckets below these names, one within the other, each with all that is in it. Raises BoltError."""
    for key, value in _buckets(bucket, *names):
        yield key, dict(value.items())


def keys(entry: Entry, name: bytes) -> list[str]:
    """Return the keys of a bucket in an entry that have plain values; none where there is no such bucket."""
    inner = entry.get(name)
    return [key.decode() for key in inner.values()] if isinstance(inner, Bucket) else []


def labels_of(entry: Entry) -> dict[str, str]:
    """Return the labels of an entry."""
    inner = entry.get(b"labels")
    return {key.decode(): value.decode() for key, value in inner.values().items()} if isinstance(inner, Bucket) else {}


def bytes_of(entry: Entry, name: bytes) -> bytes:
    """Return a plain value of an entry; empty where there is none."""
    value = entry.get(name, b"")
    return value if isinstance(value, bytes) else b""


def text_of(entry: Entry, name: bytes) -> str:
    """Return a plain value of an entry as text; empty where there is none."""
    return bytes_of(entry, name).decode()


def varint(data: bytes) -> int:
    """Decode what Go's encoding/binary.PutUvarint wrote; for PutVarint of what is not negative, halve it."""
    value = 0
    for place, byte in enumerate(data):
        value |= (byte & 0x7F) << (7 * place)
    return value


def _instant_ns(data: bytes) -> int:
    """Decode what Go's time.MarshalBinary wrote, in nanoseconds since the year 1; 0 where it is not that."""
    if len(data) < _GO_TIME.size:
        return 0
    _, seconds, nanoseconds = _GO_TIME.unpack_from(data)
    return int(seconds * 1_000_000_000 + nanoseconds)


def _has_expired(labels: Mapping[str, str]) -> bool:
    try:
        return datetime.fromisoformat(labels[_EXPIRES]) < datetime.now(UTC)
    except (KeyError, ValueError, TypeError):
        # Containerd ignores a time that it cannot read.
        return False
