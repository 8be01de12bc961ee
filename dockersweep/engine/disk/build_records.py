"""BuildKit's build-cache records beside containerd: which are listed, and their parents (cache/metadata.go)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from dockersweep.engine.disk.bolt import read_bolt
from dockersweep.engine.disk.containerd_metadata import entries


class BuildRecords(msgspec.Struct):
    """BuildKit's build-cache records: those that it lists, and the parents of each."""

    listed: dict[str, str] = msgspec.field(default_factory=dict)
    """For every record the one that is listed: two may share their data, until the mutable one is committed."""
    parents: dict[str, set[str]] = msgspec.field(default_factory=dict)
    children: dict[str, set[str]] = msgspec.field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "BuildRecords":
        """Read BuildKit's metadata_v2.db. Raises BoltError, OSError, and msgspec.MsgspecError for a value that is not
        as it is known to be."""
        told = {
            key: {name.decode(): _told(value) for name, value in record.items() if isinstance(value, bytes)}
            for key, record in entries(read_bolt(path), b"_main")
        }
        found = cls()
        for key, record in told.items():
            if not record.get("cache.deleted"):
                twin = record.get("cache.equalMutable")
                found.listed[key] = twin if twin in told else key
        for key, record in told.items():
            found._add_parents(key, record)
        return found

    def _add_parents(self, key: str, record: Mapping[str, Any]) -> None:
        child = self.listed.get(key)
        for name in ("parent", "lowerDiffParent", "upperDiffParent", "mergeParents"):
            below = record.get(f"cache.{name}") or []
            for one in below if isinstance(below, list) else [below]:
                self._add_parent(child, self.listed.get(one))

    def _add_parent(self, child: str | None, parent: str | None) -> None:
        if child is not None and parent is not None:
            self.parents.setdefault(child, set()).add(parent)
            self.children.setdefault(parent, set()).add(child)

    def owners(self, lease: str) -> list[str]:
        """The records that a lease is there for; none where it is no record's."""
        key, _, role = lease.partition("-")
        record = self.listed.get(key)
        if record is None:
            return []
        if role == "view":
            # It is given up when the record has no children any more, and lasts as long as the children do.
            return sorted(self.children.get(record, ()))
        return [record] if role in {"", "variants"} else []


class _Value(msgspec.Struct):
    value: str | int | float | bool | list[str] | None = None


_read_value = msgspec.json.Decoder(_Value).decode


def _told(value: bytes) -> Any:
    """Read a value of BuildKit's; one that was cleared is empty."""
    return _read_value(value).value if value else None
