"""What is mounted where, at names and over folders that nobody would choose who meant well."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from dockersweep.engine.disk.disks import read_disks
from dockersweep.engine.disk.mounts import mount_of, read_mounts
from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.engine.disk.stores import find_stores
from tests.engine.test_disk_space import NOTHING, root_of
from tests.rig.inventories import volume
from tests.rig.own_folders import disks_of, folder_of, storage_on_disk

pytestmark = pytest.mark.programs


@contextmanager
def mounted(*places: tuple[str, bytes | Path]) -> Iterator[None]:
    """Mount a small disk of a name at each place, one after the other."""
    done: list[bytes | Path] = []
    try:
        for device, place in places:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", device, place], check=True)
            done.append(place)
        yield
    finally:
        for place in reversed(done):
            subprocess.run(["umount", place], check=True)


def test_names_may_have_any_character(tmp_path: Path) -> None:
    place = tmp_path / 'a\rb\nc\td e\\040f#"<b>'
    place.mkdir()
    with mounted(("dev#ice \r", place)):
        mount = read_mounts()[str(place)]
        assert (mount.device, mount.kind) == ("dev#ice \r", "tmpfs")


def test_what_something_else_was_mounted_over_is_not_seen(tmp_path: Path) -> None:
    above, below = tmp_path / "srv", tmp_path / "srv" / "docker"
    below.mkdir(parents=True)
    with mounted(("hidden", below), ("top", above)):
        below.mkdir()
        seen = mount_of(str(below), read_mounts())
        assert seen is not None
        assert seen.device == "top"
        with mounted(("first", below), ("second", below)):
            assert read_mounts()[str(below)].device == "second"
        assert str(below) not in read_mounts()
    assert str(above) not in read_mounts()


def test_disks_are_told_though_a_mount_in_the_folder_is_hidden(tmp_path: Path) -> None:
    (tmp_path / "docker" / "old").mkdir(parents=True)
    with mounted(("hidden", tmp_path / "docker" / "old"), ("top", tmp_path / "docker")):
        [disk] = disks_of(root_of(tmp_path / "docker"), NOTHING)
        assert (disk.device, disk.mount_point) == ("top", str(tmp_path / "docker"))


def test_names_that_are_no_text_are_told_by_their_codes(tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(odd)
    with mounted(("tmpfs", odd)):
        told = disks_of(root_of(tmp_path), NOTHING)[1]
        assert told.mount_point == told.places[0] == f"{tmp_path}/\\xff"
        folder, _ = folder_of(root_of(tmp_path), NOTHING)
        assert folder is not None
        assert folder.on_disks[1].places == told.places


def test_what_is_mounted_twice_counts_once(tmp_path: Path) -> None:
    engine = root_of(tmp_path, "volumes", "again")
    with mounted(("once", tmp_path / "volumes")):
        (tmp_path / "volumes" / "file").write_bytes(b"x" * 100_000)
        before, _ = folder_of(engine, NOTHING)
        subprocess.run(["mount", "--bind", tmp_path / "volumes", tmp_path / "again"], check=True)
        try:
            after, _ = folder_of(engine, NOTHING)
        finally:
            subprocess.run(["umount", tmp_path / "again"], check=True)
    assert before is not None
    assert after is not None
    assert after.on_disks[1].size_bytes == before.on_disks[1].size_bytes
    assert [len(disk.places) for disk in after.on_disks] == [1, 2]


@contextmanager
def dead(place: Path) -> Iterator[None]:
    """Mount a file system whose server has ended: whatever is asked of it fails."""
    server = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={server},rootmode=40000,user_id=0,group_id=0".encode()
    status = ctypes.CDLL(None, use_errno=True).mount(b"dead", os.fsencode(place), b"fuse", 0, options)
    os.close(server)
    assert status == 0, os.strerror(ctypes.get_errno())
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.parametrize(
    ("folder", "kinds"),
    [("volumes", ("volume",)), ("swarm", ()), ("buildkit", ("build-cache",)), ("image/overlay2/layerdb", None)],
)
def test_a_mount_that_does_not_answer_is_unknown_by_itself(
    tmp_path: Path, folder: str, kinds: tuple[str, ...] | None
) -> None:
    engine = root_of(tmp_path, folder, "network")
    data = msgspec.structs.replace(volume("data"), mountpoint=str(tmp_path / "volumes/data/_data"))
    listed = ListedObjects((), (), (data,) if folder == "volumes" else (), ())
    with dead(tmp_path / folder), mounted(("fine", tmp_path / "network")):
        disks, on_none = read_disks(find_stores(engine, listed))
        told, (warning,) = folder_of(engine, listed)
        assert [disk.places for disk in disks] == [(str(tmp_path),), (str(tmp_path / "network"),)]
        assert on_none == (("container", "image", "build-cache") if kinds is None else kinds)
        assert told is not None
        sizes = {one.places[0]: one.size_bytes is None for one in told.on_disks}
        assert sizes == {str(tmp_path): False, str(tmp_path / folder): True, str(tmp_path / "network"): False}
        assert warning.text == f"not measured: {tmp_path / folder} cannot be read"
        if folder in ("volumes", "swarm"):
            assert storage_on_disk(engine, listed).storage.parts == ()
