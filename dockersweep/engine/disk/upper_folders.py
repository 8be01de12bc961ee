"""Finds the folder in which overlay keeps what a container has written."""

import re
from pathlib import Path

from dockersweep.engine.disk.bolt import Bucket, read_bolt
from dockersweep.engine.disk.containerd import METADATA, engine_namespace
from dockersweep.engine.disk.containerd_metadata import SNAPSHOTTER, varint
from dockersweep.engine.disk.podman import layer_of_container
from dockersweep.engine.disk.stores import Stores
from dockersweep.files import FolderInside

_ID = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9-]{1,128}")
_LARGEST_NAME_BYTES = 1_000
_HOME = f"io.containerd.snapshotter.v1.{SNAPSHOTTER}"


class UpperFolders:
    """The upper folders of an engine's containers. Read once, as of the first question where containerd has them."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._databases: tuple[dict[bytes, Bucket], dict[bytes, Bucket]] | None = None

    def of(self, container_id: str) -> Path | None:
        """Return the upper folder of a container; None where it cannot be told.

        Raises OSError, BoltError, and ValueError for what cannot be read.
        """
        if not _ID.fullmatch(container_id):
            return None
        stores = self._stores
        if stores.engine.flavour == "podman":
            layer = layer_of_container(stores.root, container_id) if stores.engine.image_store == "overlay" else None
            return stores.root / "overlay" / layer / "diff" if layer and _ID.fullmatch(layer) else None
        if stores.engine.image_store == "containerd":
            return self._of_containerd(container_id)
        return self._of_overlay2(container_id) if stores.engine.image_store == "overlay2" else None

    def _of_overlay2(self, container_id: str) -> Path | None:
        root = self._stores.root
        with FolderInside(root / "image" / "overlay2" / "layerdb" / "mounts") as mounts:
            name = mounts.read(f"{container_id}/mount-id", _LARGEST_NAME_BYTES).decode()
        return root / "overlay2" / name / "diff" if _NAME.fullmatch(name) else None

    def _of_containerd(self, container_id: str) -> Path | None:
        """The snapshot has the container's id, in containerd's own database, which names it in the snapshotter's."""
        containerd = self._stores.containerd
        if containerd is None:
            return None
        snapshots, folders = self._snapshots(containerd)
        snapshot = snapshots.get(container_id.encode())
        entry = folders.get(snapshot.values().get(b"name", b"")) if snapshot else None
        number = entry.values().get(b"id") if entry else None
        return None if number is None else containerd / _HOME / "snapshots" / str(varint(number)) / "fs"

    def _snapshots(self, containerd: Path) -> tuple[dict[bytes, Bucket], dict[bytes, Bucket]]:
        if self._databases is None:
            namespace = engine_namespace(self._stores.root).encode()
            own = read_bolt(containerd / METADATA).bucket(b"v1", namespace, b"snapshots", SNAPSHOTTER.encode())
            stored = read_bolt(containerd / _HOME / "metadata.db").bucket(b"v1", b"snapshots")
            self._databases = own.buckets() if own else {}, stored.buckets() if stored else {}
        return self._databases
