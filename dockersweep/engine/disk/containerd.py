"""Reads what Docker's containerd image store keeps, from the metadata of containerd and of BuildKit.

Containerd counts no references: it collects whatever cannot be reached from images, leases and containers. Content
reaches further by its labels, except from a lease that is flat; snapshots reach their parents in any case. So what
labels tie to an image or a lease is needed by that image or lease itself, and only parents are needed by snapshots.
See core/metadata/gc.go and plugins/snapshots/overlay of containerd, and cache/refs.go of BuildKit.

What nothing reaches is left out: the next collection takes it, whatever else is removed.
"""

import contextlib
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from dockersweep.engine.disk.bolt import BoltError, read_bolt
from dockersweep.engine.disk.build_records import BuildRecords
from dockersweep.engine.disk.containerd_metadata import (
    SNAPSHOTTER,
    Entry,
    Namespace,
    bytes_of,
    entries,
    labels_of,
    leases_of,
    read_namespaces,
    running_of,
    text_of,
    varint,
)
from dockersweep.engine.disk.image_mounts import layers_of_mounts
from dockersweep.engine.disk.parts import DiskPart, UnreadableStorageError
from dockersweep.engine.disk.pulled_images import recoverable_images
from dockersweep.engine.disk.walk import BLOCK_BYTES
from dockersweep.files import is_there, state_of, what_is_wrong
from dockersweep.model.inventory import Container

METADATA = Path("io.containerd.metadata.v1.bolt") / "meta.db"
_VIEW, _ACTIVE = 1, 2
_MERGE_BYTES = "buildkit.mergeUsageSize"


def containerd_folder(root: Path, system_containerd: Path) -> Path | None:
    """Return the folder of the containerd of an engine whose data lie in `root`: it is started by the engine, or as a
    service, whose folder is `system_containerd`. One that is left from the other way may hold the same images, but is
    not written to any more. None where there is neither. Raises OSError.
    """
    places = (root / "containerd" / "daemon", system_containerd)
    known = {place: state for place in places if (state := state_of(place / METADATA, follow_links=False))}
    return max(known, key=lambda place: known[place].st_mtime_ns, default=None)


def has_most_images(daemon: Path, root: Path, ids: Collection[str]) -> bool:
    """Return whether most of these images are in a containerd under the engine's name whose data lie in `root`: another
    may have the same images for others."""
    try:
        namespaces = read_namespaces(daemon / METADATA, engine_namespace(root))
    except (BoltError, OSError, ValueError, TypeError):
        return False
    held = {
        content.removeprefix("blob:") for one in namespaces if one.is_the_engines for content in one.images.values()
    }
    return 2 * len(held.intersection(ids)) > len(ids)


def engine_namespace(root: Path) -> str:
    """Return the namespace of containerd that the engine works in whose data lie in `root`. With remapped users it has
    a folder and a namespace for each mapping: 100000.100000."""
    return f"moby-{root.name}" if re.fullmatch(r"\d+\.\d+", root.name) else "moby"


def find_parts(root: Path, daemon: Path, listed: Iterable[Container]) -> list[DiskPart]:
    """Return the parts, and what each needs, in the containerd image store of the engine whose data lie in `root`, and
    containerd's in `daemon`. The containers that the engine lists tell whose the layers of mounted images are.

    Raises UnreadableStorageError where its metadata are not there or not as they are known to be.
    """
    try:
        namespaces = read_namespaces(daemon / METADATA, engine_namespace(root))
        records = BuildRecords.read(root / "buildkit" / f"containerd-{SNAPSHOTTER}" / "metadata_v2.db")
        containers = {name: root / "containers" / name for name in os.listdir(root / "containers")}
        pieces = {piece.id: piece for piece in _pieces(daemon, namespaces)}
        mounted = layers_of_mounts(listed, root / "rootfs" / SNAPSHOTTER)
        holds = _roots(namespaces, records, containers, mounted)
        pulled = {key for one in namespaces if one.is_the_engines for key in recoverable_images(one)}
        return [_with_registry(part, pulled) for part in _assemble(holds, pieces, containers)]
    except (BoltError, OSError, ValueError, TypeError, msgspec.MsgspecError) as error:
        text = f"the containerd image store in {daemon} cannot be read: {what_is_wrong(error)}"
        raise UnreadableStorageError(text) from error


_Holds = dict[str, set[str]]


def _roots(
    namespaces: list[Namespace], records: BuildRecords, containers: Mapping[str, Path], mounted: Mapping[str, str]
) -> _Holds:
    """What keeps what: the ids of objects and leases, with all that they reach."""
    holds: _Holds = {f"container:{container}": set() for container in containers}
    for record in set(records.listed.values()):
        holds[f"build-cache:{record}"] = {f"build-cache:{one}" for one in records.parents.get(record, ())}
    for namespace in namespaces:
        ours = namespace.is_the_engines
        for name, content in namespace.images.items():
            # Whatever its names, an image is known by what they point at.
            part = f"image:{content.removeprefix('blob:')}" if ours else namespace.id_of("lease", name)
            holds.setdefault(part, set()).update(namespace.reach([f"name:{name}"]))
        for key in namespace.pinned:
            holds.setdefault(namespace.id_of("lease", key), set()).update(namespace.reach([key]))
        for lease, held in leases_of(namespace):
            owners = [f"build-cache:{one}" for one in records.owners(lease)] if ours else []
            if ours and (container := mounted.get(lease, lease)) in containers:
                owners = [f"container:{container}"]
            for part in owners or [namespace.id_of("lease", lease)]:
                holds.setdefault(part, set()).update(held)
        for container, held in running_of(namespace):
            part = f"container:{container}" if ours and container in containers else namespace.id_of("lease", container)
            holds.setdefault(part, set()).update(held)
    return holds


def _pieces(daemon: Path, namespaces: list[Namespace]) -> Iterator[DiskPart]:
    """The content and the snapshots that are there, with what they take."""
    known = {key for namespace in namespaces for key in namespace.blobs}
    contents = daemon / "io.containerd.content.v1.content" / "blobs"
    # It is made for the first blob.
    for folder in os.scandir(contents) if is_there(contents) else ():
        for blob in os.scandir(folder.path):
            key = f"blob:{folder.name}:{blob.name}"
            with contextlib.suppress(FileNotFoundError):
                if key in known:
                    size = _blocks(blob.stat(follow_symlinks=False))
                    yield DiskPart(key, known_disk_bytes=size, folder=blob.path)
    home = daemon / f"io.containerd.snapshotter.v1.{SNAPSHOTTER}"
    told = home / "metadata.db"
    # It is made for the first snapshot.
    stored = dict(entries(read_bolt(told), b"v1", b"snapshots")) if is_there(told) else {}
    for namespace in namespaces:
        for key, snapshot in namespace.snapshots.items():
            # What has gone since containerd's metadata were read is no part any more.
            entry = stored.get(text_of(snapshot, b"name"))
            if entry is not None and (piece := _snapshot(namespace, key, entry, home / "snapshots")):
                yield piece


def _snapshot(namespace: Namespace, key: str, entry: Entry, home: Path) -> DiskPart | None:
    labels = labels_of(namespace.snapshots[key])
    # What its own labels refer to is with those who reach it: a flat lease does not.
    needs = (namespace.parents[key],) if key in namespace.parents else ()
    folder = home / str(varint(bytes_of(entry, b"id")))
    kind = varint(bytes_of(entry, b"kind"))
    size = entry.get(b"size")
    if kind == _ACTIVE or not (kind == _VIEW or isinstance(size, bytes)):
        return DiskPart(key, needs, (str(folder),))
    try:
        disk_bytes = _around(folder)
        if kind == _VIEW:
            disk_bytes += _blocks(os.lstat(folder / "fs"))
    except FileNotFoundError:
        return None
    if isinstance(size, bytes):
        # BuildKit makes a merged snapshot of links to files of others, which are not freed with it.
        disk_bytes += int(labels[_MERGE_BYTES]) if _MERGE_BYTES in labels else varint(size) >> 1
    return DiskPart(key, needs, (), disk_bytes, folder=str(folder))


def _around(folder: Path) -> int:
    """Count the blocks of a snapshot besides its contents, which are all that its recorded size counts."""
    total = _blocks(os.lstat(folder))
    waiting = [folder / "work"]
    while waiting:
        one = waiting.pop()
        with contextlib.suppress(FileNotFoundError):
            seen = os.lstat(one)
            if stat.S_ISDIR(seen.st_mode):
                total += _blocks(seen)
                waiting += [Path(entry.path) for entry in os.scandir(one)]
    return total


def _assemble(holds: _Holds, pieces: Mapping[str, DiskPart], containers: Mapping[str, Path]) -> list[DiskPart]:
    found = []
    for key, held in holds.items():
        # Leases and labels may name what has gone.
        needs = tuple(sorted(one for one in held if one in pieces or one in holds))
        folder = containers.get(key.removeprefix("container:"))
        if needs or not key.startswith("lease:"):
            found.append(DiskPart(key, needs, (str(folder),) if folder else ()))
    reached: dict[str, DiskPart] = {}
    waiting = list(found)
    while waiting:
        for key in waiting.pop().needs:
            if key in pieces and key not in reached:
                piece = pieces[key]
                reached[key] = msgspec.structs.replace(piece, needs=tuple(one for one in piece.needs if one in pieces))
                waiting.append(piece)
    return [*found, *reached.values()]


def _with_registry(part: DiskPart, pulled: Collection[str]) -> DiskPart:
    kind, _, digest = part.id.partition(":")
    return msgspec.structs.replace(part, in_registry=f"blob:{digest}" in pulled) if kind == "image" else part


def _blocks(status: os.stat_result) -> int:
    return status.st_blocks * BLOCK_BYTES
