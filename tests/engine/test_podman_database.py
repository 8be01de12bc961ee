"""The copy of Podman's database: whole, or none."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dockersweep.engine.disk import podman_database
from dockersweep.engine.disk.container_records import ContainerRecord
from dockersweep.engine.disk.parts import UnreadableStorageError
from dockersweep.engine.disk.podman_database import read_podman_records, read_run_root
from dockersweep.files import read_bounded

_TABLES = """
    CREATE TABLE ContainerConfig (ID TEXT PRIMARY KEY NOT NULL, Name TEXT UNIQUE NOT NULL, JSON TEXT NOT NULL);
    CREATE TABLE ContainerState (ID TEXT PRIMARY KEY NOT NULL, State INTEGER NOT NULL, JSON TEXT NOT NULL);
    CREATE TABLE DBConfig (ID INTEGER PRIMARY KEY NOT NULL, RunRoot TEXT NOT NULL);
    INSERT INTO DBConfig VALUES (1, '/run/containers/storage');
"""


def add(folder: Path, name: str) -> None:
    with closing(sqlite3.connect(folder / "db.sql")) as database, database:
        database.execute("INSERT INTO ContainerConfig VALUES (?, ?, ?)", (name, name, f'{{"id":"{name}"}}'))
        database.execute("INSERT INTO ContainerState VALUES (?, 6, ?)", (name, '{"state":6}'))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A graph root with a database of two containers."""
    with closing(sqlite3.connect(tmp_path / "db.sql")) as database:
        database.executescript(_TABLES)
    add(tmp_path, "a")
    add(tmp_path, "b")
    return tmp_path


def test_what_is_asked_for_is_read_and_nothing_is_written(folder: Path) -> None:
    def as_it_is() -> tuple[int, int, bytes, list[str]]:
        state = (folder / "db.sql").stat()
        return state.st_ino, state.st_mtime_ns, (folder / "db.sql").read_bytes(), sorted(os.listdir(folder))

    before = as_it_is()
    assert read_podman_records(folder, ["a", "c"]) == {"a": ContainerRecord(b'{"id":"a"}', b'{"state":6}')}
    assert as_it_is() == before


def test_a_lock_of_the_engine_is_not_waited_for(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "db.sql")) as database:
        database.execute("BEGIN EXCLUSIVE")
        assert set(read_podman_records(folder, ["a", "b"])) == {"a", "b"}


def test_a_transaction_under_way_is_waited_for_only_so_long(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podman_database, "_PAUSE_SECONDS", 0)
    with closing(sqlite3.connect(folder / "db.sql")) as database:
        database.execute("BEGIN IMMEDIATE")
        database.execute("DELETE FROM ContainerState")
        assert (folder / "db.sql-journal").exists()
        with pytest.raises(UnreadableStorageError, match="changed each time"):
            read_podman_records(folder, ["a"])
        database.rollback()
    assert set(read_podman_records(folder, ["a"])) == {"a"}


def test_what_changed_while_it_was_read_is_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    added = iter(["c", "d"])

    def read(descriptor: int, path: Path, largest: int) -> bytes:
        data = read_bounded(descriptor, path, largest)
        for name in added:
            add(folder, name)
            break
        return data

    monkeypatch.setattr(podman_database, "read_bounded", read)
    assert set(read_podman_records(folder, ["a", "c", "d"])) == {"a", "c", "d"}


def _set_run_root(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "db.sql")) as database, database:
        database.execute(statement)


def test_the_run_root_is_told(folder: Path) -> None:
    assert read_run_root(folder) == Path("/run/containers/storage")


@pytest.mark.parametrize(
    "statement", ["DELETE FROM DBConfig", "UPDATE DBConfig SET RunRoot = ''", "UPDATE DBConfig SET RunRoot = 'run'"]
)
def test_a_run_root_that_is_none_is_not_told(folder: Path, statement: str) -> None:
    _set_run_root(folder, statement)
    with pytest.raises(UnreadableStorageError, match="run root"):
        read_run_root(folder)


def test_a_database_that_a_transient_store_left_behind_tells_no_run_root(folder: Path, tmp_path: Path) -> None:
    """With --transient-store Podman's database is in its run root, and this is of a time before."""
    (tmp_path / "run").mkdir()
    _set_run_root(folder, f"UPDATE DBConfig SET RunRoot = '{tmp_path}/run'")
    assert read_run_root(folder) == tmp_path / "run"
    (tmp_path / "run" / "db.sql").touch()
    with pytest.raises(UnreadableStorageError, match="run root"):
        read_run_root(folder)


def _with_own_log(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")


def _without_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE ContainerState")


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _overwritten(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100:] = b"\xff" * (len(data) - 100)
    path.write_bytes(data)


@pytest.mark.parametrize(
    "spoil",
    [_with_own_log, _without_tables, _torn, _overwritten, lambda path: path.write_bytes(b""),
     lambda path: path.write_text("no database at all, but long enough to have a head" * 9)],
)  # fmt: skip
def test_what_is_no_such_database_tells_nothing(folder: Path, spoil: Callable[[Path], object]) -> None:
    spoil(folder / "db.sql")
    with pytest.raises(UnreadableStorageError):
        read_podman_records(folder, ["a"])


def test_a_link_is_not_read(folder: Path) -> None:
    (folder / "db.sql").rename(folder / "elsewhere")
    (folder / "db.sql").symlink_to("elsewhere")
    with pytest.raises(OSError, match="is a link"):
        read_podman_records(folder, ["a"])
