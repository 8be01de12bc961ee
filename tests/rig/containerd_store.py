"""Containerd's metadata as a test writes them down: engines do not make every label on demand."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dockersweep.engine.disk import containerd_metadata
from dockersweep.engine.disk.bolt import Bucket
from dockersweep.engine.disk.containerd_metadata import Namespace, read_namespaces

Tree = Mapping[str, Any]
"""Keys with bytes, texts or trees."""


class Written(Bucket):
    """A bucket of a tree."""

    def __init__(self, tree: Tree) -> None:
        """Take the tree as the bucket's contents."""
        self._tree = tree

    def items(self) -> Iterator[tuple[bytes, bytes | Bucket]]:
        """Yield every key with its value or its bucket."""
        for key, value in self._tree.items():
            if isinstance(value, Mapping):
                yield key.encode(), Written(value)
            else:
                yield key.encode(), value.encode() if isinstance(value, str) else value


def go_time(seconds: float) -> bytes:
    """What Go's time.MarshalBinary writes for an instant, in seconds after one of the test's choice."""
    whole = int(seconds)
    return struct.pack(">BqIh", 1, 63_900_000_000 + whole, round((seconds - whole) * 1e9), -1)


def blob(created: float = 0, updated: float = 0, **labels: str) -> Tree:
    """A piece of content, which came and was labelled at these seconds."""
    return {"createdat": go_time(created), "updatedat": go_time(updated), "labels": labels}


def image(digest: str, labels: Tree | None = None) -> Tree:
    """A name that points at content."""
    return {"target": {"digest": digest}, "labels": labels or {}}


def snapshot(parent: str = "", labels: Tree | None = None) -> Tree:
    """A snapshot of overlayfs."""
    return {"name": "n", "parent": parent, "labels": labels or {}}


def namespace(
    monkeypatch: pytest.MonkeyPatch,
    *,
    blobs: Tree | None = None,
    images: Tree | None = None,
    snapshots: Tree | None = None,
    leases: Tree | None = None,
    containers: Tree | None = None,
    sandboxes: Tree | None = None,
) -> Namespace:
    """The namespace of an engine that has just these."""
    moby = {
        "content": {"blob": blobs or {}},
        "images": images or {},
        "snapshots": {"overlayfs": snapshots or {}},
        "leases": leases or {},
        "containers": containers or {},
        "sandboxes": sandboxes or {},
    }
    monkeypatch.setattr(containerd_metadata, "read_bolt", lambda path: Written({"v1": {"moby": moby}}))
    return read_namespaces(Path("meta.db"), "moby")[0]
