"""No image is exported by way of a disk of the engine that is known to have no room for it."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from dockersweep.commands.running import export_room
from dockersweep.commands.running.export_room import require_export_room
from dockersweep.errors import NoRoomError, NotArchivedError
from dockersweep.model.policy import Space

MEGABYTE = 1_000_000
NONE = Space(text="0B", size_bytes=0)
TEN = Space(text="10MB", size_bytes=10 * MEGABYTE)


@pytest.fixture
def engine_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The engine's folder on a disk of 400 MB, of which 41 MB are free, and 20 more for root."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    real = os.stat

    def stat(path: str) -> object:
        state = real(path)
        return SimpleNamespace(st_dev=state.st_dev if "other" not in path else -1)

    disk = SimpleNamespace(f_frsize=MEGABYTE, f_blocks=400, f_bfree=61, f_bavail=41)
    monkeypatch.setattr(export_room, "os", SimpleNamespace(stat=stat, statvfs=lambda path: real(path) and disk))
    return str(folder)


def test_on_one_disk_the_archive_needs_what_stays_free_too(engine_tmp: str, tmp_path: Path) -> None:
    require_export_room(engine_tmp, 31 * MEGABYTE, str(tmp_path), TEN)
    with pytest.raises(NoRoomError, match=r"has 41.0 MB free, .*up to 32.0 MB.*10MB stays free") as raised:
        require_export_room(engine_tmp, 32 * MEGABYTE, str(tmp_path), TEN)
    assert "the archive is on the same disk" in str(raised.value)


def test_elsewhere_only_what_the_engine_may_take_counts(engine_tmp: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    require_export_room(engine_tmp, 61 * MEGABYTE, str(other), TEN)
    with pytest.raises(NotArchivedError, match="writes an image there before it gives it") as raised:
        require_export_room(engine_tmp, 62 * MEGABYTE, str(other), TEN)
    assert not isinstance(raised.value, NoRoomError)


def test_what_cannot_be_seen_is_tried(engine_tmp: str, tmp_path: Path) -> None:
    require_export_room(f"{engine_tmp}/gone", 10**12, str(tmp_path), TEN)
    require_export_room(engine_tmp, 0, str(tmp_path), NONE)
