"""The headers of a tar are found in whatever pieces it comes."""

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from dockersweep.archive.tar_headers import TarHeaders

NAMES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0/"), min_size=1, max_size=150)
CONTENTS = st.integers(0, 5).flatmap(
    lambda blocks: st.binary(min_size=max(0, blocks * 512 - 1), max_size=blocks * 512 + 1)
)
FORMATS = st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
PAX = st.dictionaries(st.sampled_from(["comment", "SCHILY.xattr.user.x", "SCHILY.acl.access", "mtime"]), st.just("1.5"))


def _looked_at(data: bytes, pieces: list[int]) -> TarHeaders:
    headers = TarHeaders()
    place = 0
    for length in [*pieces, len(data)]:
        piece = bytearray(data[place : place + length])
        # What a buffer has behind its end is older.
        headers.look(piece + b"x" * 700, len(piece))
        place += length
    return headers


@given(st.lists(st.tuples(NAMES, CONTENTS, PAX), max_size=6), FORMATS, st.lists(st.integers(0, 3000), max_size=20))
def test_entries_and_attributes_are_counted(
    members: list[tuple[str, bytes, dict[str, str]]], form: int, pieces: list[int]
) -> None:
    buffer = io.BytesIO()
    has_attributes = False
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, content, pax in members:
            member = tarfile.TarInfo(name)
            member.size, member.pax_headers = len(content), pax
            has_attributes |= form == tarfile.PAX_FORMAT and any(key.startswith("SCHILY") for key in pax)
            tar.addfile(member, io.BytesIO(content))
    headers = _looked_at(buffer.getvalue(), pieces)
    assert (headers.entries, headers.has_attributes) == (len(members), has_attributes)


def test_a_file_may_be_larger_than_a_header_has_room_for() -> None:
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        member = tarfile.TarInfo("large")
        member.size = 1 << 34
        headers = TarHeaders()
        header = member.tobuf(form)
        headers.look(header, len(header))
        zero = bytearray(1 << 20)
        for _ in range(1 << 14):
            headers.look(zero, len(zero))
        end = tarfile.TarInfo("next").tobuf() + bytes(1024)
        headers.look(end, len(end))
        assert headers.entries == 2
