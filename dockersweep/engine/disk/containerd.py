"""Finds the parts of Docker's containerd image store, in the metadata of containerd and BuildKit.

Containerd does not count references: it collects whatever cannot be reached from images, leases and containers. Content
refers to more content by labels, except from a flat lease; snapshots always refer to their parents. So an image or a
lease itself needs everything that labels lead to, and a snapshot needs only its parent. See core/metadata/gc.go and
plugins/snapshots/overlay of containerd, and cache/refs.go of BuildKit.

Unreachable objects are left out: the next collection removes them, whatever else is removed.
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
    """Return the folder of the containerd of the engine with its data in `root`: started by the engine itself, or as a
    service with its data in `system_containerd`. A leftover of the other kind may hold the same images, but is not
    written any more, so the newer one counts. None if there is neither. Raises OSError.
    """
    places = (root / "containerd" / "daemon", system_containerd)
    known = {place: state for place in places if (state := state_of(place / METADATA, follow_links=False))}
    return max(known, key=lambda place: known[place].st_mtime_ns, default=None)


def has_most_images(daemon: Path, root: Path, ids: Collection[str]) -> bool:
    """Return whether most of these images are in the containerd in `daemon`, in the namespace of the engine in `root`:
    it may have the same images in other namespaces."""
    try:
        namespaces = read_namespaces(daemon / METADATA, engine_namespace(root))
    except (BoltError, OSError, ValueError, TypeError):
        return False
    held = {
        content.removeprefix("blob:")
        for namespace in namespaces
        if namespace.is_the_engines
        for content in namespace.images.values()
    }
    return 2 * len(held.intersection(ids)) > len(ids)


def engine_namespace(root: Path) -> str:
    """Return the containerd namespace of the engine with its data in `root`. With remapped users there is a folder and
    a namespace for each mapping: 100000.100000."""
    return f"moby-{root.name}" if re.fullmatch(r"\d+\.\d+", root.name) else "moby"


def find_parts(root: Path, daemon: Path, listed: Iterable[Container]) -> list[DiskPart]:
    """Return the parts, and what each needs, in the containerd image store of the engine with its data in `root`, and
    containerd's in `daemon`. The `listed` containers show whose the layers of mounted images are.

    Raises UnreadableStorageError where the metadata are missing or of an unknown format.
    """
    try:
        namespaces = read_namespaces(daemon / METADATA, engine_namespace(root))
        records = BuildRecords.read(root / "buildkit" / f"containerd-{SNAPSHOTTER}" / "metadata_v2.db")
        containers = {name: root / "containers" / name for name in os.listdir(root / "containers")}
        pieces = {piece.id: piece for piece in _pieces(daemon, namespaces)}
        mounted = layers_of_mounts(listed, root / "rootfs" / SNAPSHOTTER)
        holds = _roots(namespaces, records, containers, mounted)
        pulled = {key for namespace in namespaces if namespace.is_the_engines for key in recoverable_images(namespace)}
        return [_with_registry(part, pulled) for part in _assemble(holds, pieces, containers)]
    except (BoltError, OSError, ValueError, TypeError, msgspec.MsgspecError) as error:
        text = f"the containerd image store in {daemon} cannot be read: {what_is_wrong(error)}"
        raise UnreadableStorageError(text) from error


_Holds = dict[str, set[str]]


def _roots(
    namespaces: list[Namespace], records: BuildRecords, containers: Mapping[str, Path], mounted: Mapping[str, str]
) -> _Holds:
    """Return what holds what: the ids of objects and leases, each with everything it reaches."""
    holds: _Holds = {f"container:{container}": set() for container in containers}
    for record in set(records.listed.values()):
        holds[f"build-cache:{record}"] = {f"build-cache:{parent}" for parent in records.parents.get(record, ())}
    for namespace in namespaces:
        ours = namespace.is_the_engines
        for name, content in namespace.images.items():
            # An image is identified by its content, whatever its names.
            part = f"image:{content.removeprefix('blob:')}" if ours else namespace.id_of("lease", name)
            holds.setdefault(part, set()).update(namespace.reach([f"name:{name}"]))
        for key in namespace.pinned:
            holds.setdefault(namespace.id_of("lease", key), set()).update(namespace.reach([key]))
        for lease, held in leases_of(namespace):
            owners = [f"build-cache:{record}" for record in records.owners(lease)] if ours else []
            if ours and (container := mounted.get(lease, lease)) in containers:
                owners = [f"container:{container}"]
            for part in owners or [namespace.id_of("lease", lease)]:
                holds.setdefault(part, set()).update(held)
        for container, held in running_of(namespace):
            part = f"container:{container}" if ours and container in containers else namespace.id_of("lease", container)
            holds.setdefault(part, set()).update(held)
    return holds


def _pieces(daemon: Path, namespaces: list[Namespace]) -> Iterator[DiskPart]:
    """Yield the existing content and snapshots, with their sizes."""
    known = {key for namespace in namespaces for key in namespace.blobs}
    contents = daemon / "io.containerd.content.v1.content" / "blobs"
    # The folder is created with the first blob.
    for folder in os.scandir(contents) if is_there(contents) else ():
        for blob in os.scandir(folder.path):
            key = f"blob:{folder.name}:{blob.name}"
            with contextlib.suppress(FileNotFoundError):
                if key in known:
                    size = _blocks(blob.stat(follow_symlinks=False))
                    yield DiskPart(key, known_disk_bytes=size, folder=blob.path)
    home = daemon / f"io.containerd.snapshotter.v1.{SNAPSHOTTER}"
    database = home / "metadata.db"
    # The file is created with the first snapshot.
    stored = dict(entries(read_bolt(database), b"v1", b"snapshots")) if is_there(database) else {}
    for namespace in namespaces:
        for key, snapshot in namespace.snapshots.items():
            # Snapshots that have disappeared since containerd's metadata were read are left out.
            entry = stored.get(text_of(snapshot, b"name"))
            if entry is not None and (piece := _snapshot(namespace, key, entry, home / "snapshots")):
                yield piece


def _snapshot(namespace: Namespace, key: str, entry: Entry, home: Path) -> DiskPart | None:
    labels = labels_of(namespace.snapshots[key])
    # What its labels refer to is needed by those who reach it, not by itself: a flat lease does not follow labels.
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
        # BuildKit makes merged snapshots of hard links to files of others, which are not freed with it.
        disk_bytes += int(labels[_MERGE_BYTES]) if _MERGE_BYTES in labels else varint(size) >> 1
    return DiskPart(key, needs, (), disk_bytes, folder=str(folder))


def _around(folder: Path) -> int:
    """Return the bytes of a snapshot's blocks outside its contents: its recorded size counts only the contents."""
    total = _blocks(os.lstat(folder))
    waiting = [folder / "work"]
    while waiting:
        path = waiting.pop()
        with contextlib.suppress(FileNotFoundError):
            state = os.lstat(path)
            if stat.S_ISDIR(state.st_mode):
                total += _blocks(state)
                waiting += [Path(entry.path) for entry in os.scandir(path)]
    return total


def _assemble(holds: _Holds, pieces: Mapping[str, DiskPart], containers: Mapping[str, Path]) -> list[DiskPart]:
    parts = []
    for key, held in holds.items():
        # Leases and labels may name objects that are gone.
        needs = tuple(sorted(need for need in held if need in pieces or need in holds))
        folder = containers.get(key.removeprefix("container:"))
        if needs or not key.startswith("lease:"):
            parts.append(DiskPart(key, needs, (str(folder),) if folder else ()))
    reached: dict[str, DiskPart] = {}
    waiting = list(parts)
    while waiting:
        for key in waiting.pop().needs:
            if key in pieces and key not in reached:
                piece = pieces[key]
                reached[key] = msgspec.structs.replace(
                    piece, needs=tuple(need for need in piece.needs if need in pieces)
                )
                waiting.append(piece)
    return [*parts, *reached.values()]


def _with_registry(part: DiskPart, pulled: Collection[str]) -> DiskPart:
    kind, _, digest = part.id.partition(":")
    return msgspec.structs.replace(part, in_registry=f"blob:{digest}" in pulled) if kind == "image" else part


def _blocks(status: os.stat_result) -> int:
    return status.st_blocks * BLOCK_BYTES
