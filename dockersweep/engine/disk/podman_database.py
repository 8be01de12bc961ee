"""What Podman keeps of itself and of its containers: `db.sql` in its graph root, from Podman 4.8 on
(libpod/sqlite_state.go).

The engine has the database open for writing. It is neither locked nor opened here, but copied: a copy is whole where
no transaction was under way, which has a journal beside the file, and none ended meanwhile, which counts one more in
its head.
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
"""In place of the two versions of the format where changes are in a journal, and not in a log of their own (WAL)."""
_TRIES = 5
_PAUSE_SECONDS = 0.02
_RECORDS = """
    SELECT ID, CAST(c.JSON AS BLOB), CAST(s.JSON AS BLOB) FROM ContainerConfig AS c JOIN ContainerState AS s USING (ID)
    ORDER BY c.rowid
"""
"""In the order in which its list for docker clients has them."""


def read_podman_records(root: Path, container_ids: Iterable[str]) -> dict[str, ContainerRecord]:
    """Return the records of these containers by id, as far as they are there, in the order in which
    its list for docker clients has them.

    Raises UnreadableStorageError where there is no such database, or none that can be read, and OSError.
    """
    wanted = set(container_ids)
    return {
        one: ContainerRecord(config, state)
        for one, config, state in _answer(root, _RECORDS)
        if one in wanted and isinstance(config, bytes) and isinstance(state, bytes)
    }


def read_run_root(root: Path) -> Path:
    """Return the folder of what Podman keeps until the next boot, which it holds to be the one of its database whatever
    its settings say.

    Raises UnreadableStorageError where the database does not tell it, or is left over: with --transient-store it is in
    the run root itself (tried on 5.8 and 6.1). Raises OSError.
    """
    match _answer(root, "SELECT RunRoot FROM DBConfig"):
        case [(str(told),)] if told.startswith("/") and not is_there(Path(told, _NAME)):
            return Path(told)
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
