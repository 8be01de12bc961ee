"""What containerd's own database says: the names, contents, snapshots and leases of each of its namespaces.

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
"""What is there while it runs, by its bucket, each with what its id begins with: a pod's sandbox and its first
container have one key."""

Entry = Mapping[bytes, bytes | Bucket]


class Blob(Struct, frozen=True):
    """What is recorded of a piece of content."""

    labels: Mapping[str, str]
    created_ns: int
    """When it came to be here, in nanoseconds since the year 1."""
    updated_ns: int
    """When its labels were last written."""


class Namespace(Struct):
    """What one namespace of containerd has; content and snapshots by the ids of their parts."""

    name: str
    bucket: Bucket
    is_the_engines: bool
    blobs: dict[str, Blob] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    """The content that each name of an image points at."""
    targets: dict[str, str] = field(default_factory=dict)
    """The same of all names, those that have expired included, which have the id `name:NAME` here."""
    snapshots: dict[str, Entry] = field(default_factory=dict)
    links: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What is kept with a blob, a name, a snapshot or what runs, as labels of either say."""
    pinned: list[str] = field(default_factory=list)
    """What labels keep for good."""
    parents: dict[str, str] = field(default_factory=dict)
    """The parent of each snapshot."""
    _snapshots_link: bool = False
    """Whether any snapshot has links; as a rule none has."""

    def id_of(self, kind: str, key: str) -> str:
        """The id of a part; other namespaces than the engine's own say which they are."""
        return f"{kind}:{key}" if self.is_the_engines else f"{kind}:{self.name}/{key}"

    def reach(self, starts: Iterable[str]) -> set[str]:
        """All that is reached from there by labels. Snapshots reach their parents besides; what those link is in it."""
        found: set[str] = set()
        waiting = list(starts)
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += self.links.get(one, ())
                if self._snapshots_link:
                    waiting += self._links_of_parents(one)
        return found

    def find_linked_snapshots(self) -> None:
        """Make what snapshots link part of what is reached; to be called once all links are there."""
        self._snapshots_link = any(snapshot in self.links for snapshot in self.snapshots)

    def part_named(self, target: Target) -> str:
        """Return the id of what a label names."""
        if target.kind == "snapshot":
            return self.id_of("snapshot", target.key)
        return f"{_PREFIXES[target.kind]}:{target.key}"

    def _links_of_parents(self, snapshot: str) -> Iterator[str]:
        seen = {snapshot}
        parent = self.parents.get(snapshot)
        while parent is not None and parent not in seen:
            seen.add(parent)
            yield from self.links.get(parent, ())
            parent = self.parents.get(parent)


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
        _Reader(namespace).read()
        found.append(namespace)
    return found


class _Reader:
    """Reads one namespace. What a label ties to its owner from afar is known only once all labels are read."""

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
            self._conditions += [(key, one) for one in gc_labels.conditions]
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
            self._conditions += [(key, one) for one in gc_labels.conditions]
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
            for key, one in entries(namespace.bucket, kind):
                snapshot = text_of(one, b"snapshotKey") if text_of(one, b"snapshotter") == SNAPSHOTTER else ""
                first = (namespace.id_of("snapshot", snapshot),) if snapshot else ()
                self._link(f"{prefix}:{key}", labels_of(one), *first)

    def _link(self, owner: str, labels: Mapping[str, str], *first: str) -> GcLabels:
        gc_labels = read_gc_labels(labels, SNAPSHOTTER)
        if targets := (*first, *map(self._namespace.part_named, gc_labels.refers_to)):
            self._namespace.links[owner] = targets
        return gc_labels

    def _keep_with_holders(self, owner: str, gc_labels: GcLabels) -> None:
        for holder in gc_labels.referred_to_by:
            self._kept_with.setdefault(self._namespace.part_named(holder), []).append(owner)


def leases_of(namespace: Namespace, with_temporary: bool = False) -> Iterator[tuple[str, set[str]]]:
    """Yield the leases that hold, each with the ids of the parts that it keeps: of a flat one just what it names."""
    for key, lease in entries(namespace.bucket, b"leases"):
        labels = labels_of(lease)
        read_gc_labels(labels, SNAPSHOTTER)
        # What BuildKit holds for minutes after it has looked at an image, it lets go when any record is removed.
        is_temporary = _TEMPORARY in labels and _EXPIRES in labels
        if not _has_expired(labels) and (with_temporary or not is_temporary):
            yield key, _held_by(namespace, lease, labels)


def leases_made_at(namespace: Namespace) -> dict[str, datetime]:
    """Return when each lease was made; those are left out of which that is not told."""
    made_at = {}
    for key, lease in entries(namespace.bucket, b"leases"):
        if instant_ns := _instant_ns(bytes_of(lease, b"createdat")):
            made_at[key] = _YEAR_1 + timedelta(microseconds=instant_ns // 1000)
    return made_at


def expired_leases_of(namespace: Namespace) -> Iterator[tuple[str, datetime]]:
    """Yield the ids of the parts that leases which have expired are on, each with when that was."""
    for _, lease in entries(namespace.bucket, b"leases"):
        labels = labels_of(lease)
        if _has_expired(labels):
            at = datetime.fromisoformat(labels[_EXPIRES])
            yield from ((held, at) for held in _held_by(namespace, lease, labels))


def held_ingests_of(namespace: Namespace) -> Iterator[bytes]:
    """Yield what the content store calls the unfinished downloads that a lease holds, or that were begun without one
    less than a day ago."""
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
        held |= {namespace.id_of("snapshot", one.decode()) for one in (of_ours.values() if of_ours else ())}
    names = {f"name:{name}" for name in keys(lease, b"images")}
    if _FLAT in labels:
        return held | {namespace.targets[name] for name in names if name in namespace.targets}
    return namespace.reach(held | names)


def running_of(namespace: Namespace) -> Iterator[tuple[str, set[str]]]:
    """What containerd's own containers and sandboxes keep, which are there while they run."""
    for kind, prefix in _RUNNING.items():
        for key, _ in entries(namespace.bucket, kind):
            yield key, namespace.reach([f"{prefix}:{key}"])


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
