"""A tar whose members lie in another folder.

Docker unpacks a tar into a folder of a container, and refuses symbolic links that lead out of that folder, as those of
a volume may. So the tar of a volume is unpacked into the root, with the path of the volume in front of each name.
"""

import tarfile
from collections.abc import Iterable, Iterator

from dockersweep.engine.archiving.tar_members import (
    BLOCK_BYTES,
    PAX_GLOBAL,
    Member,
    TarReader,
    bare_path,
    extension_fields,
)

_NAMES = (b"path", b"GNU.sparse.name")
_Records = dict[bytes, bytes]


def prefixed(tar: Iterable[bytes], folder: str) -> Iterator[bytes]:
    """Yield a tar with all of its members, its root too, in a folder. Raises BrokenTarError, and what reading
    raises."""
    reader = TarReader(tar)
    for member in reader.members():
        yield _moved(member, folder.encode())
        yield from reader.data()
    yield bytes(2 * BLOCK_BYTES)


def owner_of(member: Member) -> str:
    """Return the owner of a member, "999:998"."""
    records, _, last = _split(member.header)
    told = tarfile.TarInfo.frombuf(last, "utf-8", "surrogateescape")
    user, group = records.get(b"uid", str(told.uid).encode()), records.get(b"gid", str(told.gid).encode())
    return f"{user.decode()}:{group.decode()}"


def _moved(member: Member, folder: bytes) -> bytes:
    """Return the header of a member with other names."""
    records, others, last = _split(member.header)
    for key in _NAMES:
        if key in records:
            records[key] = _in(folder, records[key])
    records.setdefault(b"path", _in(folder, member.name))
    if member.is_hard_link:
        records[b"linkpath"] = _in(folder, member.link)
    content = b"".join(_record(key, value) for key, value in records.items())
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, len(content)
    block = header.tobuf(tarfile.USTAR_FORMAT)
    return others + block + content + bytes(-len(content) % BLOCK_BYTES) + last


def _in(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + bare_path(name)


def _split(header: bytes) -> tuple[_Records, bytes, bytes]:
    """Return the extended fields of a member, the blocks for all members among them, and its own last block."""
    records: _Records = {}
    others, position = b"", 0
    while position + BLOCK_BYTES < len(header):
        block = header[position : position + BLOCK_BYTES]
        size = int(block[124:135].strip(b" \0") or b"0", 8)
        end = position + BLOCK_BYTES + size + -size % BLOCK_BYTES
        content = header[position + BLOCK_BYTES :][:size]
        kind = block[156:157]
        if kind == PAX_GLOBAL:
            others += header[position:end]
        else:
            records |= extension_fields(kind, content)
        position = end
    return records, others, header[position:]


def _record(key: bytes, value: bytes) -> bytes:
    """Return a field as POSIX has it: its length, which counts itself, a space, and the rest."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest
