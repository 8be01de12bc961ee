"""Tars of an engine as they come: what comes out is what went in, and half of one is never taken for a whole."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.engine.archiving.tar_members import BLOCK_BYTES, BrokenTarError, TarReader, whole
from tests.rig.examples import examples

names = st.text(st.characters(exclude_characters="\0/", codec="utf-8"), min_size=1, max_size=150)
FORMATS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)


@st.composite
def tars(draw: st.DrawFn) -> bytes:
    """A tar of some members, as other programs write it."""
    written = io.BytesIO()
    form = draw(st.sampled_from(FORMATS[1:]))
    with tarfile.open(fileobj=written, mode="w", format=form) as tar:
        for name in draw(st.lists(names, max_size=5)):
            info = tarfile.TarInfo(f"d/{name}")
            info.uid = draw(st.sampled_from([0, 70000, 4294967294]))
            info.mtime = draw(st.integers(-(2**31), 2**33))
            kind = draw(st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE]))
            info.type = kind
            content = draw(st.binary(max_size=2000)) if kind == tarfile.REGTYPE else b""
            info.size, info.linkname = len(content), "d/" + "l" * draw(st.integers(1, 150))
            tar.addfile(info, io.BytesIO(content))
    return written.getvalue()


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def contents(data: bytes) -> list[tuple[str, bytes, str, int, float, bytes | None]]:
    """What Python's own reader finds in it."""
    found: list[tuple[str, bytes, str, int, float, bytes | None]] = []
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for info in tar:
            file = tar.extractfile(info) if info.isreg() else None
            found.append((info.name, info.type, info.linkname, info.uid, info.mtime, file.read() if file else None))
    return found


@examples(100)
@given(tars(), st.integers(1, 5000))
def test_a_tar_comes_out_as_it_went_in(data: bytes, piece: int) -> None:
    assert contents(b"".join(whole(cut(data, piece)))) == contents(data)


@examples(100)
@given(tars())
def test_the_members_are_those_that_another_reader_finds(data: bytes) -> None:
    reader = TarReader([data])
    found = []
    for member in reader.members():
        content = b"".join(reader.data())[: member.size]
        found.append((member.path, member.type, content if member.type == b"0" else None))
    expected = [(name.encode(), kind, content) for name, kind, _, _, _, content in contents(data)]
    assert [(name.rstrip(b"/"), kind, content) for name, kind, content in found] == expected


@examples(100)
@given(tars(), st.integers(1, 30_000))
def test_half_a_tar_is_no_whole_one(data: bytes, place: int) -> None:
    # After its two empty blocks Python fills it up to a record.
    end = len(data.rstrip(b"\0"))
    end += -end % BLOCK_BYTES + 2 * BLOCK_BYTES
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        ends = [info.offset_data + info.size for info in tar.getmembers()[-1:] if info.isreg()]
    least = ends[0] + 2 * BLOCK_BYTES if ends else end
    with pytest.raises(BrokenTarError):
        list(whole([data[: min(place, least - 1)]]))


@pytest.mark.parametrize(
    "end",
    [
        b'{"message":"unexpected EOF"}\n',
        bytes(512) + b'{"message":"unexpected EOF"}\n' + bytes(483),
        bytes(1024) + b'{"message":"unexpected EOF"}\n',
        bytes(512),
        b"",
    ],
)
def test_what_an_engine_writes_when_it_fails_is_no_end(end: bytes) -> None:
    info = tarfile.TarInfo("a")
    info.size = 3
    data = info.tobuf() + b"abc" + bytes(509)
    assert list(whole([data + bytes(1024)]))
    with pytest.raises(BrokenTarError):
        list(whole([data + end]))


def test_a_header_that_is_damaged_is_told() -> None:
    header = bytearray(tarfile.TarInfo("a").tobuf())
    header[3] ^= 1
    with pytest.raises(BrokenTarError, match="damaged"):
        list(whole([bytes(header) + bytes(1024)]))


@pytest.mark.parametrize(
    "record", [b"8 path=a\n", b"path=a\n", b"99999 path=a\n", b"11 path=ab", b"10 size=x\n", b"1 "]
)
def test_an_extended_header_that_is_damaged_is_told(record: bytes) -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, len(record)
    data = info.tobuf() + record + bytes(-len(record) % 512) + tarfile.TarInfo("a").tobuf() + bytes(1024)
    with pytest.raises(BrokenTarError):
        list(whole([data]))
