"""Layers of containers out of what an engine exports: the changed files, and what tells that others are deleted."""

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dockersweep.engine.api.archive_calls import ADDED, CHANGED, REMOVED, Change
from dockersweep.engine.archiving.exported_layer import layer_of
from dockersweep.engine.archiving.tar_members import BrokenTarError

FILES = {"etc/passwd": b"root", "etc/keep": b"keep", "data/new": b"new", "data/old": b"old"}


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode, info.uid = kind, link, size, 0o640, 70000
    return info


def tar_of(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for info, content in entries:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return written.getvalue()


EXPORTED = tar_of(
    (entry("etc", tarfile.DIRTYPE), b""),
    *((entry(name), content) for name, content in FILES.items() if name.startswith("etc")),
    (entry("data", tarfile.DIRTYPE), b""),
    *((entry(name), content) for name, content in FILES.items() if name.startswith("data")),
    (entry("data/second", tarfile.LNKTYPE, "data/new"), b""),
    (entry("data/of-the-image", tarfile.LNKTYPE, "etc/keep"), b""),
)


@contextmanager
def one_file(path: bytes) -> Iterator[Iterator[bytes]]:
    assert path == b"data/of-the-image"
    yield iter([tar_of((entry("of-the-image"), b"keep"))])


def layer(*changes: Change) -> dict[str, tuple[bytes, str, bytes]]:
    """Return name -> type, link and content of each file in the layer."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(layer_of(changes, [EXPORTED], one_file)))) as tar:
        infos = tar.getmembers()
        contents = [file.read() if info.isreg() and (file := tar.extractfile(info)) else b"" for info in infos]
    assert len({info.name for info in infos}) == len(infos)
    return {info.name: (info.type, info.linkname, content) for info, content in zip(infos, contents, strict=True)}


def test_only_what_has_changed_is_in_it() -> None:
    found = layer(Change("/etc", CHANGED), Change("/etc/passwd", CHANGED), Change("/data/new", ADDED))
    assert found == {
        "etc": (tarfile.DIRTYPE, "", b""),
        "etc/passwd": (tarfile.REGTYPE, "", b"root"),
        "data/new": (tarfile.REGTYPE, "", b"new"),
    }


def test_what_is_deleted_is_told() -> None:
    found = layer(Change("/etc/shadow", REMOVED), Change("/gone", REMOVED))
    assert found == {"etc/.wh.shadow": (tarfile.REGTYPE, "", b""), ".wh.gone": (tarfile.REGTYPE, "", b"")}


def test_a_folder_that_was_made_anew_hides_what_was_in_it() -> None:
    found = layer(Change("/data", REMOVED), Change("/data/new", ADDED))
    assert list(found) == ["data", "data/.wh..wh..opq", "data/new"]


def test_a_file_in_place_of_a_deleted_one_is_in_it() -> None:
    assert layer(Change("/data/new", REMOVED)) == {"data/new": (tarfile.REGTYPE, "", b"new")}


def test_a_hard_link_within_the_layer_stays_one() -> None:
    found = layer(Change("/data/new", ADDED), Change("/data/second", ADDED))
    assert found["data/second"] == (tarfile.LNKTYPE, "data/new", b"")


def test_a_hard_link_to_a_file_of_the_image_becomes_a_file() -> None:
    with tarfile.open(
        fileobj=io.BytesIO(b"".join(layer_of([Change("/data/of-the-image", ADDED)], [EXPORTED], one_file)))
    ) as tar:
        [info] = tar.getmembers()
        file = tar.extractfile(info)
        assert file is not None
        assert (info.name, info.mode, info.uid, file.read()) == ("data/of-the-image", 0o640, 70000, b"keep")


def test_a_file_whose_name_would_delete_another_is_left_out() -> None:
    exported = tar_of((entry("etc/.wh.passwd"), b"x"), (entry("etc/.wh.d/x"), b"x"), (entry("etc/x"), b"y"))
    changes = [Change(f"/etc/{name}", ADDED) for name in (".wh.passwd", ".wh.d/x", "x")]
    with tarfile.open(fileobj=io.BytesIO(b"".join(layer_of(changes, [exported], one_file)))) as tar:
        assert tar.getnames() == ["etc/x"]


def test_half_an_export_is_no_layer() -> None:
    with pytest.raises(BrokenTarError):
        list(layer_of([Change("/etc/passwd", CHANGED)], [EXPORTED[:3000]], one_file))
