"""Finds data in containerd's folders that no image, container, lease or label keeps.

Containerd collects garbage when an image is removed (tried on Docker 28.5). That also removes what a killed pull, load
or removal left: snapshots and blobs with an expired lease, folders that its databases do not name, and downloads that
did not end within a day (core/metadata/{db,content}.go of containerd). A start collects only snapshots, or only blobs,
if its own database has some to collect.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from dockersweep.engine.disk.bolt import read_bolt
from dockersweep.engine.disk.containerd import METADATA, engine_namespace
from dockersweep.engine.disk.containerd_metadata import (
    SNAPSHOTTER,
    Namespace,
    bytes_of,
    entries,
    expired_leases_of,
    held_ingests_of,
    leases_of,
    read_namespaces,
    running_of,
    text_of,
    varint,
)
from dockersweep.engine.disk.leaks.unowned import KnownFolders, Unowned, names_in
from dockersweep.files import is_there

_SNAPSHOTTER = f"io.containerd.snapshotter.v1.{SNAPSHOTTER}"
_SNAPSHOT = re.compile(r"[1-9][0-9]*|new-[0-9]+")
"""A snapshot in the making is called new- (plugins/snapshots/overlay)."""
_ALGORITHM = re.compile(r"[a-z0-9]+")
_DIGEST = re.compile(r"[0-9a-f]{64,128}")


class _Candidates(NamedTuple):
    """Data for which the scan found no owner."""

    snapshots: list[Path]
    blobs: list[Path]
    ingests: list[Path]


def unowned_contents(root: Path, daemon: Path, known: KnownFolders) -> Iterator[Unowned]:
    """Yield the snapshots, blobs and unfinished downloads that nothing keeps, in the folder `daemon` of the containerd
    of the engine with its data in `root`.

    Raises OSError, BoltError, and ValueError for metadata of an unknown format.
    """
    # First, so that data made later is either in the metadata read below, or not a candidate.
    candidates = _candidates(daemon, known)
    if not any(candidates):
        return
    namespaces = read_namespaces(daemon / METADATA, engine_namespace(root))
    kept = {key for namespace in namespaces for key in kept_in(namespace)}
    expired = {key: at for namespace in namespaces for key, at in expired_leases_of(namespace)}
    keys = snapshots_by_folder(daemon, namespaces)
    for folder in candidates.snapshots:
        yield from _unowned(folder, keys.get(folder), kept, expired)
    recorded = {key for namespace in namespaces for key in namespace.blobs}
    for blob in candidates.blobs:
        key = f"blob:{blob.parent.name}:{blob.name}"
        yield from _unowned(blob, key if key in recorded else None, kept, expired)
    held = {sha256(ref).hexdigest() for namespace in namespaces for ref in held_ingests_of(namespace)}
    for ingest in candidates.ingests:
        if ingest.name not in held:
            yield Unowned(ingest, "containerd", "ingest-abandoned")


def _candidates(daemon: Path, known: KnownFolders) -> _Candidates:
    snapshots = daemon / _SNAPSHOTTER / "snapshots"
    content = daemon / "io.containerd.content.v1.content"
    blobs = [content / "blobs" / name for name in names_in(content / "blobs", _ALGORITHM)]
    return _Candidates(
        [snapshots / name for name in names_in(snapshots, _SNAPSHOT) if str(snapshots / name) not in known],
        [place / name for place in blobs for name in names_in(place, _DIGEST) if str(place / name) not in known],
        [content / "ingest" / name for name in names_in(content / "ingest", _DIGEST)],
    )


def _unowned(path: Path, key: str | None, kept: Set[str], expired: Mapping[str, datetime]) -> Iterator[Unowned]:
    if key is None:
        yield Unowned(path, "containerd", "unnamed")
    elif key not in kept:
        at = expired.get(key)
        yield Unowned(path, "containerd", "unkept" if at is None else "lease-expired", at)


def snapshots_by_folder(daemon: Path, namespaces: Iterable[Namespace]) -> dict[Path, str]:
    """Return folder -> part id of snapshots. Raises OSError and BoltError."""
    database = daemon / _SNAPSHOTTER / "metadata.db"
    # It is made for the first snapshot.
    stored = entries(read_bolt(database), b"v1", b"snapshots") if is_there(database) else ()
    keys = {
        text_of(snapshot, b"name"): key for namespace in namespaces for key, snapshot in namespace.snapshots.items()
    }
    return {
        daemon / _SNAPSHOTTER / "snapshots" / str(varint(bytes_of(entry, b"id"))): keys[name]
        for name, entry in stored
        if name in keys
    }


def kept_in(namespace: Namespace, without: Set[str] = frozenset()) -> set[str]:
    """Return the ids of all parts that something in a namespace keeps, ignoring the leases in `without`."""
    kept = namespace.reach([*(f"name:{name}" for name in namespace.images), *namespace.pinned])
    leases = [held for lease, held in leases_of(namespace, with_temporary=True) if lease not in without]
    running = [held for _, held in running_of(namespace)]
    return with_parents(namespace, kept.union(*leases, *running))


def with_parents(namespace: Namespace, parts: Set[str]) -> set[str]:
    """Return the parts plus all parents of snapshots among them."""
    reached = set(parts)
    waiting = list(parts)
    while waiting:
        parent = namespace.parents.get(waiting.pop())
        if parent is not None and parent not in reached:
            reached.add(parent)
            waiting.append(parent)
    return reached
