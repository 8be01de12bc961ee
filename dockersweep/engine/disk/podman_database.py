"""Reads Podman's database of its settings and containers: `db.sql` in its graph root, from Podman 4.8 on
(libpod/sqlite_state.go).

The engine has the database open for writing. It is neither locked nor opened here, but copied: a copy is consistent if
no transaction was in progress (there is a journal beside the file then), and none ended meanwhile (that increments a
counter in the header).
"""

import os
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from dockersweep.engine.disk.container_records import ContainerRecord
from dockersweep.engine.disk.parts import UnreadableStorageError
from dockersweep.files import is_there, open_inside, read_bounded, state_of

_NAME = "db.sql"
_LARGEST_BYTES = 1 << 28
_HEAD_BYTES = 100
_ROLLBACK_JOURNAL = b"\1\1"
"""The two format versions of a database with a rollback journal, not a write-ahead log."""
_TRIES = 5
_PAUSE_SECONDS = 0.02
_RECORDS = """
    SELECT ID, CAST(c.JSON AS BLOB), CAST(s.JSON AS BLOB) FROM ContainerConfig AS c JOIN ContainerState AS s USING (ID)
    ORDER BY c.rowid
"""
"""In the order of Podman's list for docker clients."""


def read_podman_records(root: Path, container_ids: Iterable[str]) -> dict[str, ContainerRecord]:
    """Return the existing records of these containers by id, in the order of Podman's list for docker clients.

    Raises UnreadableStorageError where the database is missing or cannot be read, and OSError.
    """
    wanted = set(container_ids)
    return {
        container_id: ContainerRecord(config, state)
        for container_id, config, state in _answer(root, _RECORDS)
        if container_id in wanted and isinstance(config, bytes) and isinstance(state, bytes)
    }


def read_run_root(root: Path) -> Path:
    """Return Podman's run root, the folder of state that a boot clears. Podman uses the one in its database, whatever
    its settings say.

    Raises UnreadableStorageError where the database does not have it, or is a leftover: with --transient-store the
    database is in the run root itself (tried on 5.8 and 6.1). Raises OSError.
    """
    match _answer(root, "SELECT RunRoot FROM DBConfig"):
        case [(str(run_root),)] if run_root.startswith("/") and not is_there(Path(run_root, _NAME)):
            return Path(run_root)
    raise UnreadableStorageError(f"{root / _NAME} does not tell the run root")


def _answer(root: Path, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(":memory:")) as database:
        try:
            database.deserialize(_copied(root / _NAME))
            database.execute("PRAGMA query_only = ON")
            return database.execute(question).fetchall()
        except sqlite3.Error as error:
            raise UnreadableStorageError(f"{root / _NAME} cannot be read: {error}") from None


def _copied(path: Path) -> bytes:
    journal = path.with_name(f"{_NAME}-journal")
    for _ in range(_TRIES):
        with open_inside(path) as file:
            if state_of(journal, follow_links=False) is None:
                data = read_bounded(file, path, _LARGEST_BYTES)
                if data[18:20] != _ROLLBACK_JOURNAL:
                    raise UnreadableStorageError(f"{path} is not as Podman keeps it")
                head = os.pread(file, _HEAD_BYTES, 0)
                if head == data[:_HEAD_BYTES] and state_of(journal, follow_links=False) is None:
                    return data
        time.sleep(_PAUSE_SECONDS)
    raise UnreadableStorageError(f"{path} changed each time it was read")
