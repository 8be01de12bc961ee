"""A tar whose members are moved into another folder, read by other programs than ours."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from dockersweep.engine.archiving.tar_members import BrokenTarError
from dockersweep.engine.restoring.layered_image import facts_of
from dockersweep.engine.restoring.prefixed_tar import prefixed

LONG = "long/" * 60 + "name"


def made(form: int) -> bytes:
    """A tar with each kind of entry, in a form of Python's."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        names = (
            "./",
            "./plain",
            "./folder/",
            "./folder/hard",
            "./link",
            *(() if form == tarfile.USTAR_FORMAT else (f"./{LONG}",)),
        )
        for name in names:
            info = tarfile.TarInfo(name)
            info.uid, info.gid, info.mtime = 1234, 99, 1_000_000_000
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            elif name == "./folder/hard":
                info.type, info.linkname = tarfile.LNKTYPE, "./plain"
            elif name == "./link":
                info.type, info.linkname = tarfile.SYMTYPE, "../../out"
            else:
                info.size = 700
            tar.addfile(info, io.BytesIO(b"x" * info.size))
    return buffer.getvalue()


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("size", [1, 512, 100_000])
def test_every_name_is_in_the_folder_and_nothing_else_changes(form: int, size: int) -> None:
    data = made(form)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        before = {member.name.removeprefix("./").rstrip("/"): member for member in tar}
    with tarfile.open(fileobj=io.BytesIO(b"".join(prefixed(pieces(data, size), "volume")))) as tar:
        after = {member.name: member for member in tar}
        file = tar.extractfile("volume/plain")
        assert file is not None
        assert file.read() == b"x" * 700
    assert set(after) == {f"volume/{name}".rstrip("/.") for name in before}
    for name, member in before.items():
        moved = after[f"volume/{name}".rstrip("/.")]
        facts = [(one.type, one.size, one.uid, one.gid, one.mode, one.mtime) for one in (member, moved)]
        assert facts[0] == facts[1]
    assert after["volume/folder/hard"].linkname == "volume/plain"
    assert after["volume/link"].linkname == "../../out"


@pytest.mark.linux
def test_what_gnu_tar_writes_is_what_it_reads(tmp_path: Path) -> None:
    tree, out = tmp_path / "tree", tmp_path / "out"
    tree.mkdir()
    out.mkdir()
    (tree / "plain").write_bytes(b"plain")
    (tree / os.fsdecode(b"no \xff encoding\n")).write_bytes(b"x")
    with open(tree / "sparse", "wb") as file:
        file.truncate(50_000_000)
        file.seek(40_000_000)
        file.write(b"end")
    packing = ["tar", "--create", "--format=posix", "--sparse", "--numeric-owner", "."]
    data = subprocess.run(packing, cwd=tree, capture_output=True, check=True).stdout
    moved = b"".join(prefixed(pieces(data, 10_000), "volume"))
    subprocess.run(["tar", "--extract"], cwd=out, input=moved, check=True)
    assert os.listdir(out) == ["volume"]
    assert sorted(os.listdir(out / "volume")) == sorted(os.listdir(tree))
    for name in os.listdir(tree):
        assert (out / "volume" / name).read_bytes() == (tree / name).read_bytes()
        assert os.stat(out / "volume" / name).st_mtime_ns == os.stat(tree / name).st_mtime_ns
    assert os.stat(out / "volume" / "sparse").st_blocks < 1_000


def test_a_tar_that_ends_early_is_an_error() -> None:
    data = made(tarfile.PAX_FORMAT)
    with pytest.raises(BrokenTarError):
        b"".join(prefixed(pieces(data[:1_500], 512), "volume"))


def test_a_layer_is_known_by_its_digest_and_length() -> None:
    facts = facts_of([b"ab", b"", b"c"])
    assert facts.diff_id == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert facts.size_bytes == 3
