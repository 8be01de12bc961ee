"""Layers of containers out of overlay's own folder."""

import io
import os
import socket
import stat
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from dockersweep.engine.archiving.disk_layer import DiskLayer, SpreadLayerError
from dockersweep.errors import NotArchivedError
from dockersweep.files import open_folder_inside

pytestmark = [
    pytest.mark.linux,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what overlay makes"),
]


def whiteout(path: Path) -> None:
    os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))


def layer(folder: Path, changed_on_podman: Sequence[bytes] | None = None) -> tuple[list[tarfile.TarInfo], DiskLayer]:
    """Return what is in the layer of an upper folder."""
    with open_folder_inside(folder) as opened, DiskLayer(opened, changed_on_podman) as found:
        data = b"".join(found.tar())
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return tar.getmembers(), found


def names(folder: Path, changed_on_podman: Sequence[bytes] | None = None) -> list[str]:
    return sorted(info.name for info in layer(folder, changed_on_podman)[0])


def test_a_deleted_file_and_a_folder_that_was_made_anew(tmp_path: Path) -> None:
    (tmp_path / "anew").mkdir()
    (tmp_path / "anew" / "file").write_text("new")
    os.setxattr(tmp_path / "anew", "trusted.overlay.opaque", b"y")
    whiteout(tmp_path / "gone")
    whiteout(tmp_path / "anew" / "odd\n -name")
    (tmp_path / "by-attribute").touch()
    os.setxattr(tmp_path / "by-attribute", "trusted.overlay.whiteout", b"y")
    assert names(tmp_path) == [
        ".",
        "./.wh.by-attribute",
        "./.wh.gone",
        "./anew",
        "./anew/.wh..wh..opq",
        "./anew/.wh.odd\n -name",
        "./anew/file",
    ]


def test_all_else_is_as_it_was_but_for_what_is_overlays_own(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 100)
    os.chown(file, 70000, 4294967294)
    os.setxattr(file, "user.own", b"1")
    os.setxattr(file, "trusted.overlay.origin", b"secret")
    os.utime(file, ns=(0, 1_234_567_890_123_456_789))
    os.link(file, tmp_path / "second")
    os.mknod(tmp_path / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    infos = {info.name: info for info in layer(tmp_path)[0]}
    told = infos["./file"]
    assert (told.uid, told.gid, told.size) == (70000, 4294967294, 100)
    assert told.pax_headers["mtime"] == "1234567890.123456789"
    assert told.pax_headers["SCHILY.xattr.user.own"] == "1"
    assert [key for info in infos.values() for key in info.pax_headers if "overlay" in key] == []
    assert (infos["./second"].type, infos["./second"].linkname) == (tarfile.LNKTYPE, "./file")
    assert (infos["./null"].devmajor, infos["./null"].devminor) == (1, 3)


def test_deep_and_odd_names(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    # Longer than any path that may be given in one piece, and deeper than Python calls itself.
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    (tmp_path / "-T").touch()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n")).touch()
    found = names(tmp_path)
    # pytest would not get to the bottom of it.
    subprocess.run(["rm", "-r", tmp_path / "d"], check=True)
    assert len(found) == 1 + 1500 + 2
    assert {"./-T", os.fsdecode(b"./\xff\n")} <= set(found)


def test_a_socket_and_a_name_that_would_delete_are_left_out_and_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
    (tmp_path / ".wh.passwd").touch()
    (tmp_path / ".wh.d").mkdir()
    (tmp_path / ".wh.d" / "x").touch()
    infos, found = layer(tmp_path)
    assert [info.name for info in infos] == ["."]
    assert found.not_kept == ("1 socket", '3 files named ".wh.*"')


@pytest.mark.parametrize("name", ["trusted.overlay.metacopy", "trusted.overlay.redirect"])
def test_a_layer_with_parts_elsewhere_is_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    os.setxattr(tmp_path / "file", name, b"/x")
    with open_folder_inside(tmp_path) as opened, pytest.raises(SpreadLayerError):
        DiskLayer(opened)


def test_nothing_written_is_nothing(tmp_path: Path) -> None:
    assert layer(tmp_path)[1].entries == 0


def test_what_podman_makes_for_its_mounts_is_not_the_containers(tmp_path: Path) -> None:
    for folder in ("etc", "run/secrets", "proc", "sys", "dev"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("etc/hosts", "etc/hostname", "run/.containerenv"):
        (tmp_path / file).touch()
    (tmp_path / "etc" / "mtab").symlink_to("/proc/mounts")
    assert layer(tmp_path, [])[1].entries == 0
    assert names(tmp_path, [b"./etc"]) == [".", "./etc"]
    (tmp_path / "run" / "own.pid").write_text("1")
    (tmp_path / "etc" / "hosts").write_text("own")
    assert names(tmp_path, []) == [".", "./etc", "./etc/hosts", "./run", "./run/own.pid"]
    assert len(names(tmp_path)) == 12


def test_what_goes_away_while_it_is_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with open_folder_inside(tmp_path) as opened, DiskLayer(opened) as found:
        (tmp_path / "file").unlink()
        with pytest.raises(NotArchivedError, match=r"file"):
            list(found.tar())


@pytest.mark.parametrize("command", ["touch new", "echo x >>file", "rm file", "rm -r folder", "mv file folder/"])
def test_what_is_written_after_the_look_is_noticed(tmp_path: Path, command: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with open_folder_inside(tmp_path) as opened, DiskLayer(opened) as found:
        list(found.tar())
        found.check_unchanged()
        subprocess.run(["sh", "-ec", command], cwd=tmp_path, check=True)
        with pytest.raises(NotArchivedError, match="it changed while it was read"):
            found.check_unchanged()


def test_reading_may_stop_early(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(os.urandom(10_000_000))
    with open_folder_inside(tmp_path) as opened, DiskLayer(opened) as found:
        pieces = found.tar()
        next(pieces)
        pieces.close()
