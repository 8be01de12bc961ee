"""What lies in an archive, by its files alone: none of dockersweep's own code reads it here."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Stored = dict[tuple[str, str], dict[str, Any]]
"""Kind and id -> the object as the archive describes it; of one that is there twice the newest."""


def stored_in(archive: Path) -> Stored:
    """Return the objects that are in an archive, each of whose files is whole."""
    found: Stored = {}
    for run in sorted(path for path in archive.iterdir() if path.is_dir()) if archive.is_dir() else ():
        for entry in _described(run):
            for file in entry["files"]:
                content = (run / file["path"]).read_bytes()
                assert len(content) == file["size_bytes"], file
                assert hashlib.sha256(content).hexdigest() == file["sha256"], file
            found[entry["kind"], entry["id"]] = {**entry, "run": run}
    return found


def half_files_in(archive: Path) -> list[str]:
    """Return what a reader must not take for an archive."""
    return [str(path) for path in archive.rglob("*") if path.name.startswith(".partial")]


def _described(run: Path) -> Iterator[dict[str, Any]]:
    by_place = {path: json.loads(path.read_bytes()) for path in run.rglob("object.json") if _is_named(path)}
    index = run / "index.json"
    listed = json.loads(index.read_bytes())["objects"] if index.is_file() else []
    places = {(entry["kind"], entry["id"]) for entry in by_place.values()}
    # The index is written last of all: it never has more than what is there.
    assert {(entry["kind"], entry["id"]) for entry in listed} <= places
    yield from by_place.values()


def _is_named(path: Path) -> bool:
    return not any(part.startswith(".") for part in path.parts)
