"""Finds what image mounts of removed containers still hold on the containerd store.

Docker 28 gives each image mount a lease, called `<container id>-<image as written>`. After a reboot it does not find
the mount again, and the container sees an empty folder; when the container is removed, the lease stays and holds all
layers of the image: no list shows them, and no prune or start removes them (tried on 28.5:
findings/image-mount-after-boot.sh).
"""

import re
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

from dockersweep.engine.disk.containerd import METADATA, engine_namespace
from dockersweep.engine.disk.containerd_metadata import Namespace, leases_made_at, leases_of, read_namespaces
from dockersweep.engine.disk.leaks.containerd import kept_in, snapshots_by_folder, with_parents
from dockersweep.engine.disk.leaks.unowned import Unowned
from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.files import is_there
from dockersweep.model.storage import Storage

_OF_MOUNT = re.compile(r"([0-9a-f]{64})-.+", re.DOTALL)
_PART_OF_MOUNT = re.compile(f"lease:{_OF_MOUNT.pattern}", re.DOTALL)


def forgotten_mounts(root: Path, daemon: Path, listed: ListedObjects, storage: Storage) -> Iterator[Unowned]:
    """Yield the snapshots that only such leases keep; if the storage has no such lease, no metadata are read.

    Raises OSError, BoltError, and ValueError for metadata of an unknown format.
    """
    if not any(_PART_OF_MOUNT.fullmatch(part.id) for part in storage.parts):
        return
    namespaces = read_namespaces(daemon / METADATA, engine_namespace(root))
    for namespace in namespaces:
        leases = dict(_leases_of_gone(namespace, root, listed)) if namespace.is_the_engines else {}
        if leases:
            yield from _kept_by(namespace, leases, snapshots_by_folder(daemon, namespaces))


def _leases_of_gone(namespace: Namespace, root: Path, listed: ListedObjects) -> Iterator[tuple[str, set[str]]]:
    there = {container.id for container in listed.containers}
    for lease, held in leases_of(namespace):
        match = _OF_MOUNT.fullmatch(lease)
        if match and match[1] not in there and not is_there(root / "containers" / match[1]):
            yield lease, held


def _kept_by(namespace: Namespace, leases: Mapping[str, Set[str]], keys: Mapping[Path, str]) -> Iterator[Unowned]:
    kept = kept_in(namespace, without=leases.keys())
    made_at = leases_made_at(namespace)
    folders = {key: folder for folder, key in keys.items()}
    for lease, held in leases.items():
        for key in sorted(with_parents(namespace, held) - kept):
            # A snapshot of several such leases is freed with the last of them, and counts once.
            kept.add(key)
            if key in folders:
                yield Unowned(
                    folders[key], "image-mount", "container-gone", lease=lease, lease_made_at=made_at.get(lease)
                )
