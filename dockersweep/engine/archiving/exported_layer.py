"""The writable layer of a container, off the engine's API, as the tar of an OCI layer: of all its files those that are
changed, and a ".wh." file for each that is deleted (image-spec, layer.md)."""

import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

from dockersweep.engine.api.archive_calls import REMOVED, Change
from dockersweep.engine.archiving.disk_layer import OPAQUE, WHITEOUT
from dockersweep.engine.archiving.tar_members import BLOCK_BYTES, BrokenTarError, Member, TarReader, bare_path

OneFile = Callable[[bytes], AbstractContextManager[Iterator[bytes]]]
"""Opens the tar of one path."""


def layer_of(changes: Iterable[Change], exported: Iterable[bytes], one_file: OneFile) -> Iterator[bytes]:
    """Yield the layer; `exported` is a tar of all files. Raises BrokenTarError where a tar is not whole."""
    kept: set[bytes] = set()
    removed: set[bytes] = set()
    for change in changes:
        path = bare_path(change.path.encode("utf-8", "surrogateescape"))
        (removed if change.kind == REMOVED else kept).add(path)
    written: set[bytes] = set()
    reader = TarReader(exported)
    for member in reader.members():
        path = member.path
        if b"/" + WHITEOUT in b"/" + path:
            # In a layer it would delete another.
            continue
        if path in removed:
            # It was made anew: the engine's list has that of Podman's folders.
            removed.discard(path)
            if member.is_folder:
                yield member.header
                yield _empty_file(path + b"/" + OPAQUE)
                continue
        elif path not in kept:
            continue
        if member.is_hard_link and bare_path(member.link) not in written:
            # It is another name of a file of the image, and no layer can name that.
            yield from _as_file(member, one_file)
        else:
            yield member.header
            yield from reader.data()
        if not member.is_folder:
            written.add(path)
    for path in sorted(removed):
        folder, slash, name = path.rpartition(b"/")
        yield _empty_file(folder + slash + WHITEOUT + name)
    yield bytes(2 * BLOCK_BYTES)


def _as_file(link: Member, one_file: OneFile) -> Iterator[bytes]:
    """Yield a hard link as the file that it is."""
    with one_file(link.path) as pieces:
        reader = TarReader(pieces)
        for member in reader.members():
            yield _renamed(member, link.path)
            yield from reader.data()


def _renamed(member: Member, path: bytes) -> bytes:
    """Return the header of a file, with another name."""
    try:
        info = tarfile.TarInfo.frombuf(member.header[-BLOCK_BYTES:], "utf-8", "surrogateescape")
    except tarfile.TarError as error:
        raise BrokenTarError(f"the engine's tar is damaged: {error}") from None
    info.name = path.decode("utf-8", "surrogateescape")
    info.size = member.size
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _empty_file(path: bytes) -> bytes:
    info = tarfile.TarInfo(path.decode("utf-8", "surrogateescape"))
    info.mode = 0
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
