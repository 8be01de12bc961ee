"""What lies in subvolumes of a btrfs is counted, and what snapshots share counts once."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockersweep.engine.disk.mounts import read_mounts
from dockersweep.engine.disk.walk import DiskBytes, measure
from tests.rig.engines.disks import Mounted, SmallDisk

pytestmark = pytest.mark.programs

MB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of a btrfs that has one file of a megabyte in a subvolume."""
    disk = Mounted(tmp_path, tmp_path / "data", (SmallDisk("", "btrfs", 256 * MB),), system_containerd=False)
    folder = tmp_path / "data" / "folder"
    folder.mkdir()
    btrfs("subvolume", "create", folder / "one")
    write(folder / "one/file")
    yield folder
    disk.close()


def btrfs(*words: str | Path) -> None:
    subprocess.run(["btrfs", *words], capture_output=True, check=True)


def write(path: Path, size: int = MB) -> None:
    with path.open("wb") as file:
        file.write(os.urandom(size))
        os.fsync(file.fileno())


def walked(*places: Path) -> DiskBytes:
    return measure(places, mounts=read_mounts())


def test_subvolumes_are_walked_where_the_mounts_are_known(folder: Path) -> None:
    assert folder.stat().st_dev != (folder / "one").stat().st_dev
    assert (walked(folder).low, walked(folder).high) == (MB, MB)
    assert walked(folder).is_whole
    assert (measure([folder]).high, measure([folder]).is_whole) == (0, False)
    assert walked(folder).changed_at == (folder / "one/file").stat().st_ctime


def test_what_a_snapshot_has_from_another_counts_once(folder: Path) -> None:
    os.link(folder / "one/file", folder / "one/link")
    btrfs("subvolume", "snapshot", folder / "one", folder / "two")
    btrfs("subvolume", "snapshot", "-r", folder / "two", folder / "three")
    assert (walked(folder).low, walked(folder).high) == (MB, MB)
    write(folder / "two/file", 2 * MB)
    write(folder / "two/new")
    assert walked(folder).high == (1 + 2 + 1) * MB


def test_what_is_mounted_in_a_subvolume_is_left_out(folder: Path, tmp_path: Path) -> None:
    """The top of another btrfs looks as a subvolume does."""
    beside = tmp_path / "beside"
    beside.mkdir()
    other = Mounted(beside, folder / "one/other", (SmallDisk("", "btrfs", 256 * MB),), system_containerd=False)
    try:
        write(folder / "one/other/file")
        assert (folder / "one/other").stat().st_ino == 256
        before = {point: mount for point, mount in read_mounts().items() if not point.startswith(str(folder))}
        assert measure([folder], mounts=before).is_whole, "it was mounted meanwhile"
        (tmp_path / "link").symlink_to(folder)
        assert walked(folder).high == walked(tmp_path / "link" / "one").high == MB
    finally:
        other.close()
