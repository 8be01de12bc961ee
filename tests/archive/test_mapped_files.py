"""Files that processes have mapped for writing are found, whatever this process may look at."""

import mmap
import os
from pathlib import Path

import pytest

from dockersweep.archive.mapped_files import MappedFiles

pytestmark = pytest.mark.linux


@pytest.mark.parametrize("may_look", [True, False])
def test_a_mapped_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, may_look: bool) -> None:
    stat = os.stat

    def refusing(path: str, **how: bool) -> os.stat_result:
        if "/map_files/" in path and not may_look:
            raise PermissionError
        return stat(path, **how)

    monkeypatch.setattr(os, "stat", refusing)
    names = [tmp_path / name for name in ("one", "two")]
    for name in names:
        name.write_bytes(b"x" * 8192)
    with (
        open(names[0], "r+b") as one, mmap.mmap(one.fileno(), 0),
        open(names[1], "r+b") as two, mmap.mmap(two.fileno(), 0),
    ):  # fmt: skip
        found = MappedFiles().on(stat(tmp_path).st_dev)
        assert [found.get(stat(name).st_ino) for name in names] == [os.getpid()] * 2


def test_a_mapping_that_has_just_ended_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = os.stat
    names = [tmp_path / name for name in ("one", "two")]
    gone: list[str] = []

    def ending(path: str, **how: bool) -> os.stat_result:
        if f"/{os.getpid()}/map_files/" in path and not gone:
            gone.append(path)
            raise FileNotFoundError
        return stat(path, **how)

    monkeypatch.setattr(os, "stat", ending)
    for name in names:
        name.write_bytes(b"x" * 8192)
    with (
        open(names[0], "r+b") as one, mmap.mmap(one.fileno(), 0),
        open(names[1], "r+b") as two, mmap.mmap(two.fileno(), 0),
    ):  # fmt: skip
        found = MappedFiles().on(stat(tmp_path).st_dev)
        assert {stat(name).st_ino for name in names} <= found.keys()
    assert gone
