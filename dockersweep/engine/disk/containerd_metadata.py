"""Reads containerd's own database: the images, contents, snapshots and leases of each namespace.

See core/metadata/{buckets,gc,leases}.go of containerd.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct, field

from dockersweep.engine.disk.bolt import Bucket, read_bolt
from dockersweep.engine.disk.gc_labels import Condition, GcLabels, Target, read_gc_labels

SNAPSHOTTER = "overlayfs"
_FLAT, _EXPIRES = "containerd.io/gc.flat", "containerd.io/gc.expire"
_TEMPORARY = "buildkit/lease.temporary"
_GO_TIME = struct.Struct(">BqI")
_YEAR_1 = datetime(1, 1, 1, tzinfo=UTC)
_PREFIXES = {"content": "blob", "image": "name", "container": "container of containerd"}
_RUNNING = {b"containers": _PREFIXES["container"], b"sandboxes": "sandbox"}
"""Bucket -> id prefix of objects that exist while they run; prefixed, because a pod's sandbox and its first container
have the same key."""

Entry = Mapping[bytes, bytes | Bucket]


class Blob(Struct, frozen=True):
    """The record of a piece of content."""

    labels: Mapping[str, str]
    created_ns: int
    """When it arrived, in nanoseconds since the year 1."""
    updated_ns: int
    """When its labels were last written."""


class Namespace(Struct):
    """One namespace of containerd; content and snapshots by the ids of their parts."""

    name: str
    bucket: Bucket
    is_the_engines: bool
    blobs: dict[str, Blob] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    """Image name -> content."""
    targets: dict[str, str] = field(default_factory=dict)
    """The same with ids `name:NAME`, expired names included."""
    snapshots: dict[str, Entry] = field(default_factory=dict)
    links: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What a blob, a name, a snapshot or a running object keeps, according to labels on either side."""
    pinned: list[str] = field(default_factory=list)
    """What labels keep for good."""
    parents: dict[str, str] = field(default_factory=dict)
    """Snapshot -> parent."""
    _snapshots_link: bool = False
    """Whether any snapshot has links; usually none has."""

    def id_of(self, kind: str, key: str) -> str:
        """Return the id of a part; ids in namespaces other than the engine's contain the namespace."""
        return f"{kind}:{key}" if self.is_the_engines else f"{kind}:{self.name}/{key}"

    def reach(self, starts: Iterable[str]) -> set[str]:
        """Return everything that labels reach from `starts`, including what the parents of reached snapshots link (but
        not the parents themselves)."""
        reached: set[str] = set()
        waiting = list(starts)
        while waiting:
            part = waiting.pop()
            if part not in reached:
                reached.add(part)
                waiting += self.links.get(part, ())
                if self._snapshots_link:
                    waiting += self._links_of_parents(part)
        return reached

    def find_linked_snapshots(self) -> None:
        """Note whether snapshots have links, for `reach`; call it after all links are read."""
        self._snapshots_link = any(snapshot in self.links for snapshot in self.snapshots)

    def part_named(self, target: Target) -> str:
        """Return the id of the part that a label names."""
        if target.kind == "snapshot":
            return self.id_of("snapshot", target.key)
        return f"{_PREFIXES[target.kind]}:{target.key}"

    def _links_of_parents(self, snapshot: str) -> Iterator[str]:
        visited = {snapshot}
        parent = self.parents.get(snapshot)
        while parent is not None and parent not in visited:
            visited.add(parent)
            yield from self.links.get(parent, ())
            parent = self.parents.get(parent)


def read_namespaces(path: Path, of_engine: str) -> list[Namespace]:
    """Read containerd's own metadata; `of_engine` is the engine's namespace.

    Raises ValueError for an unknown format, BoltError and OSError.
    """
    schema = read_bolt(path).bucket(b"v1")
    if schema is None:
        raise ValueError(f"{path} has no bucket v1")
    namespaces = []
    for name, bucket in schema.buckets().items():
        namespace = Namespace(name.decode(), bucket, name.decode() == of_engine)
        _Reader(namespace).read()
        namespaces.append(namespace)
    return namespaces


class _Reader:
    """Reads one namespace. Labels may refer to their owner's holders, so links are complete only after all are read."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._kept_with: dict[str, list[str]] = {}
        self._conditions: list[tuple[str, Condition]] = []
        self._used_at: dict[str, tuple[datetime, ...]] = {}

    def read(self) -> None:
        self._read_content()
        self._read_images()
        self._read_snapshots()
        self._read_running()
        namespace = self._namespace
        for owner, condition in self._conditions:
            snapshot = namespace.id_of("snapshot", condition.snapshot)
            if condition.holds(self._used_at.get(snapshot, ())):
                self._kept_with.setdefault(owner, []).append(snapshot)
        for holder, kept in self._kept_with.items():
            namespace.links[holder] = (*namespace.links.get(holder, ()), *kept)
        namespace.find_linked_snapshots()

    def _read_content(self) -> None:
        namespace = self._namespace
        for digest, blob in entries(namespace.bucket, b"content", b"blob"):
            labels = labels_of(blob)
            key = f"blob:{digest}"
            times = (_instant_ns(bytes_of(blob, name)) for name in (b"createdat", b"updatedat"))
            namespace.blobs[key] = Blob(labels, *times)
            gc_labels = self._link(key, labels)
            self._keep_with_holders(key, gc_labels)
            self._conditions += [(key, condition) for condition in gc_labels.conditions]
            if gc_labels.is_root:
                namespace.pinned.append(key)

    def _read_images(self) -> None:
        namespace = self._namespace
        for name, image in entries(namespace.bucket, b"images"):
            labels = labels_of(image)
            target = image.get(b"target")
            digest = target.values().get(b"digest", b"") if isinstance(target, Bucket) else b""
            key, content = f"name:{name}", f"blob:{digest.decode()}"
            gc_labels = self._link(key, labels, content)
            namespace.targets[key] = content
            self._conditions += [(key, condition) for condition in gc_labels.conditions]
            if _has_expired(labels):
                self._keep_with_holders(key, gc_labels)
            else:
                namespace.images[name] = content

    def _read_snapshots(self) -> None:
        namespace = self._namespace
        for snapshotter, bucket in _buckets(namespace.bucket, b"snapshots"):
            snapshots = list(entries(bucket))
            if snapshots and snapshotter != SNAPSHOTTER:
                raise ValueError(f"there are snapshots of {snapshotter}, and only those of {SNAPSHOTTER} are known")
            for key, snapshot in snapshots:
                part = namespace.id_of("snapshot", key)
                namespace.snapshots[part] = snapshot
                if parent := text_of(snapshot, b"parent"):
                    namespace.parents[part] = namespace.id_of("snapshot", parent)
                gc_labels = self._link(part, labels_of(snapshot))
                self._keep_with_holders(part, gc_labels)
                self._used_at[part] = gc_labels.used_at
                if gc_labels.is_root:
                    namespace.pinned.append(part)

    def _read_running(self) -> None:
        namespace = self._namespace
        for kind, prefix in _RUNNING.items():
            for key, running in entries(namespace.bucket, kind):
                snapshot = text_of(running, b"snapshotKey") if text_of(running, b"snapshotter") == SNAPSHOTTER else ""
                first = (namespace.id_of("snapshot", snapshot),) if snapshot else ()
                self._link(f"{prefix}:{key}", labels_of(running), *first)

    def _link(self, owner: str, labels: Mapping[str, str], *first: str) -> GcLabels:
        gc_labels = read_gc_labels(labels, SNAPSHOTTER)
        if targets := (*first, *map(self._namespace.part_named, gc_labels.refers_to)):
            self._namespace.links[owner] = targets
        return gc_labels

    def _keep_with_holders(self, owner: str, gc_labels: GcLabels) -> None:
        for holder in gc_labels.referred_to_by:
            self._kept_with.setdefault(self._namespace.part_named(holder), []).append(owner)


def leases_of(namespace: Namespace, with_temporary: bool = False) -> Iterator[tuple[str, set[str]]]:
    """Yield the leases in force, each with the ids of the parts that it keeps: a flat one keeps only what it names."""
    for key, lease in entries(namespace.bucket, b"leases"):
        labels = labels_of(lease)
        read_gc_labels(labels, SNAPSHOTTER)
        # BuildKit holds an image for minutes after looking at it, and releases it when any record is removed.
        is_temporary = _TEMPORARY in labels and _EXPIRES in labels
        if not _has_expired(labels) and (with_temporary or not is_temporary):
            yield key, _held_by(namespace, lease, labels)


def leases_made_at(namespace: Namespace) -> dict[str, datetime]:
    """Return when each lease was created, without those that do not record it."""
    made_at = {}
    for key, lease in entries(namespace.bucket, b"leases"):
        if instant_ns := _instant_ns(bytes_of(lease, b"createdat")):
            made_at[key] = _YEAR_1 + timedelta(microseconds=instant_ns // 1000)
    return made_at


def expired_leases_of(namespace: Namespace) -> Iterator[tuple[str, datetime]]:
    """Yield the ids of the parts of expired leases, each with the time of expiry."""
    for _, lease in entries(namespace.bucket, b"leases"):
        labels = labels_of(lease)
        if _has_expired(labels):
            at = datetime.fromisoformat(labels[_EXPIRES])
            yield from ((held, at) for held in _held_by(namespace, lease, labels))


def held_ingests_of(namespace: Namespace) -> Iterator[bytes]:
    """Yield the content store's names of unfinished downloads that a lease holds, or that began without one less than
    a day ago."""
    leases = [lease for _, lease in entries(namespace.bucket, b"leases") if not _has_expired(labels_of(lease))]
    held = {ref for lease in leases for ref in keys(lease, b"ingests")}
    now_ns = (datetime.now(UTC) - _YEAR_1) // timedelta(microseconds=1) * 1000
    for ref, ingest in entries(namespace.bucket, b"content", b"ingests"):
        if ref in held or _instant_ns(bytes_of(ingest, b"expireat")) > now_ns:
            yield bytes_of(ingest, b"ref")


def _held_by(namespace: Namespace, lease: Entry, labels: Mapping[str, str]) -> set[str]:
    held = {f"blob:{digest}" for digest in keys(lease, b"content")}
    snapshots = lease.get(b"snapshots")
    if isinstance(snapshots, Bucket):
        of_ours = snapshots.buckets().get(SNAPSHOTTER.encode())
        held |= {namespace.id_of("snapshot", key.decode()) for key in (of_ours.values() if of_ours else ())}
    names = {f"name:{name}" for name in keys(lease, b"images")}
    if _FLAT in labels:
        return held | {namespace.targets[name] for name in names if name in namespace.targets}
    return namespace.reach(held | names)


def running_of(namespace: Namespace) -> Iterator[tuple[str, set[str]]]:
    """Yield containerd's own containers and sandboxes, which exist while they run, each with what it keeps."""
    for kind, prefix in _RUNNING.items():
        for key, _ in entries(namespace.bucket, kind):
            yield key, namespace.reach([f"{prefix}:{key}"])


def _buckets(bucket: Bucket | None, *names: bytes) -> Iterator[tuple[str, Bucket]]:
    inner = bucket.bucket(*names) if bucket else None
    for key, value in inner.buckets().items() if inner else ():
        yield key.decode(), value


def entries(bucket: Bucket | None, *names: bytes) -> Iterator[tuple[str, Entry]]:
    """Yield key and contents of each bucket in the nested bucket with this path of names. Raises BoltError."""
    for key, value in _buckets(bucket, *names):
        yield key, dict(value.items())


def keys(entry: Entry, name: bytes) -> list[str]:
    """Return the keys with plain values of a bucket in an entry; none if there is no such bucket."""
    inner = entry.get(name)
    return [key.decode() for key in inner.values()] if isinstance(inner, Bucket) else []


def labels_of(entry: Entry) -> dict[str, str]:
    """Return the labels of an entry."""
    inner = entry.get(b"labels")
    return {key.decode(): value.decode() for key, value in inner.values().items()} if isinstance(inner, Bucket) else {}


def bytes_of(entry: Entry, name: bytes) -> bytes:
    """Return a plain value of an entry; empty if there is none."""
    value = entry.get(name, b"")
    return value if isinstance(value, bytes) else b""


def text_of(entry: Entry, name: bytes) -> str:
    """Return a plain value of an entry as text; empty if there is none."""
    return bytes_of(entry, name).decode()


def varint(data: bytes) -> int:
    """Decode Go's encoding/binary.PutUvarint; for PutVarint of a nonnegative number, halve the value."""
    value = 0
    for place, byte in enumerate(data):
        value |= (byte & 0x7F) << (7 * place)
    return value


def _instant_ns(data: bytes) -> int:
    """Decode Go's time.MarshalBinary to nanoseconds since the year 1; 0 for anything else."""
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
