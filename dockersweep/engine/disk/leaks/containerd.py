"""What lies in containerd's folders that no image, container, lease or label keeps.

Containerd collects when an image goes (tried on Docker 28.5). Then what was left by a pull, load or removal that was
killed goes too: snapshots and blobs whose lease has expired, folders that its databases do not name, and, a day after
they began, downloads that did not end (core/metadata/{db,content}.go of containerd). A start collects only snapshots,
or only blobs, where its own database has some to collect.
"""

import re
from collections.abc import Iterator, Mapping, Set
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

_SNAPSHOT = re.compile(r"[1-9][0-9]*|new-[0-9]+")
"""What is being made is called new- (plugins/snapshots/overlay)."""
_ALGORITHM = re.compile(r"[a-z0-9]+")
_DIGEST = re.compile(r"[0-9a-f]{64,128}")


class _Candidates(NamedTuple):
    """What the scan knew no owner of."""

    snapshots: list[Path]
    blobs: list[Path]
    ingests: list[Path]


def unowned_contents(root: Path, daemon: Path, known: KnownFolders) -> Iterator[Unowned]:
    """Yield the snapshots, blobs and unfinished downloads that nothing keeps, in the folder `daemon` of the containerd
    of an engine whose data lie in `root`.

    Raises OSError, BoltError and ValueError where the metadata are not as they are known to be.
    """
    # First: what is made from now on is named by the metadata below, or not looked at.
    candidates = _candidates(daemon, known)
    if not any(candidates):
        return
    namespaces = read_namespaces(daemon / METADATA, engine_namespace(root))
    kept = {key for namespace in namespaces for key in _kept(namespace)}
    expired = {key: at for namespace in namespaces for key, at in expired_leases_of(namespace)}
    stored = _stored(daemon)
    keys = {
        text_of(snapshot, b"name"): key for namespace in namespaces for key, snapshot in namespace.snapshots.items()
    }
    for folder in candidates.snapshots:
        key = keys.get(stored.get(folder.name, ""))
        yield from _unowned(folder, key, kept, expired)
    recorded = {key for namespace in namespaces for key in namespace.blobs}
    for blob in candidates.blobs:
        key = f"blob:{blob.parent.name}:{blob.name}"
        yield from _unowned(blob, key if key in recorded else None, kept, expired)
    held = {sha256(ref).hexdigest() for namespace in namespaces for ref in held_ingests_of(namespace)}
    for ingest in candidates.ingests:
        if ingest.name not in held:
            yield Unowned(ingest, "containerd", "ingest-abandoned")


def _candidates(daemon: Path, known: KnownFolders) -> _Candidates:
    snapshots = daemon / f"io.containerd.snapshotter.v1.{SNAPSHOTTER}" / "snapshots"
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


def _stored(daemon: Path) -> dict[str, str]:
    """Return the snapshotter's own name of each folder."""
    database = daemon / f"io.containerd.snapshotter.v1.{SNAPSHOTTER}" / "metadata.db"
    # It is made for the first snapshot.
    snapshots = entries(read_bolt(database), b"v1", b"snapshots") if is_there(database) else ()
    return {str(varint(bytes_of(entry, b"id"))): name for name, entry in snapshots}


def _kept(namespace: Namespace) -> set[str]:
    """Return all that something in a namespace keeps, as the ids of parts."""
    kept = namespace.reach([*(f"name:{name}" for name in namespace.images), *namespace.pinned])
    for _, held in (*leases_of(namespace, with_temporary=True), *running_of(namespace)):
        kept |= held
    waiting = [key for key in kept if key in namespace.parents]
    while waiting:
        parent = namespace.parents.get(waiting.pop())
        if parent is not None and parent not in kept:
            kept.add(parent)
            waiting.append(parent)
    return kept
