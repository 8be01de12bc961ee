"""BuildKit's build-cache records on the containerd store: which ones it lists, and their parents
(cache/metadata.go)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from dockersweep.engine.disk.bolt import read_bolt
from dockersweep.engine.disk.containerd_metadata import entries


class BuildRecords(msgspec.Struct):
    """BuildKit's build-cache records: those that it lists, and the parents of each."""

    listed: dict[str, str] = msgspec.field(default_factory=dict)
    """Record id -> the id that is listed: two records may share their data until the mutable one is committed."""
    parents: dict[str, set[str]] = msgspec.field(default_factory=dict)
    children: dict[str, set[str]] = msgspec.field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "BuildRecords":
        """Read BuildKit's metadata_v2.db. Raises BoltError, OSError, and msgspec.MsgspecError for an unknown format."""
        stored = {
            key: {name.decode(): _decoded(value) for name, value in record.items() if isinstance(value, bytes)}
            for key, record in entries(read_bolt(path), b"_main")
        }
        records = cls()
        for key, record in stored.items():
            if not record.get("cache.deleted"):
                twin = record.get("cache.equalMutable")
                records.listed[key] = twin if twin in stored else key
        for key, record in stored.items():
            records._add_parents(key, record)
        return records

    def _add_parents(self, key: str, record: Mapping[str, Any]) -> None:
        child = self.listed.get(key)
        for name in ("parent", "lowerDiffParent", "upperDiffParent", "mergeParents"):
            below = record.get(f"cache.{name}") or []
            for parent in below if isinstance(below, list) else [below]:
                self._add_parent(child, self.listed.get(parent))

    def _add_parent(self, child: str | None, parent: str | None) -> None:
        if child is not None and parent is not None:
            self.parents.setdefault(child, set()).add(parent)
            self.children.setdefault(parent, set()).add(child)

    def owners(self, lease: str) -> list[str]:
        """Return the records that a lease belongs to; none if it is not a record's."""
        key, _, role = lease.partition("-")
        record = self.listed.get(key)
        if record is None:
            return []
        if role == "view":
            # A view lasts as long as the record's children: BuildKit releases it with the last of them.
            return sorted(self.children.get(record, ()))
        return [record] if role in {"", "variants"} else []


class _Value(msgspec.Struct):
    value: str | int | float | bool | list[str] | None = None


_read_value = msgspec.json.Decoder(_Value).decode


def _decoded(value: bytes) -> Any:
    """Decode a value of BuildKit's; a cleared one is empty."""
    return _read_value(value).value if value else None
