"""Makes a tar of one image of the archive, as every engine loads it."""

import tarfile
from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec

from dockersweep.archive.saved_image import LAYOUT, Json, index_of, without_names
from dockersweep.errors import ArchiveError

_END_BYTES = 2 * 512


class _Index(msgspec.Struct):
    manifests: Annotated[list[Json], msgspec.Meta(min_length=1)]


def tar_of_image(
    index: bytes, manifest: bytes | None, blobs: Iterable[tuple[str, int, Iterator[bytes]]], *, with_tags: bool
) -> Iterator[bytes]:
    """Yield a tar of one image, from its own index.json and manifest.json and its blobs: path, size, content.

    Raises ArchiveError where its own documents are damaged, and what reading a blob raises, in place of its last
    piece: then an engine takes nothing of it.
    """
    try:
        descriptors = msgspec.json.decode(index, type=_Index).manifests
        entries = [] if manifest is None else msgspec.json.decode(manifest, type=list[Json])
        if not with_tags:
            descriptors = [without_names(descriptors[0])]
            entries = [entry | {"RepoTags": None} for entry in entries]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, AttributeError) as error:
        raise ArchiveError(f"the archive is damaged: the image's own documents cannot be read: {error}") from None
    documents = {"oci-layout": LAYOUT, "index.json": index_of(descriptors)}
    if entries:
        documents["manifest.json"] = msgspec.json.encode(entries)
    for name, content in documents.items():
        yield from _member(name, len(content), [content])
    for folder in ("blobs", "blobs/sha256"):
        yield _header(folder, 0, tarfile.DIRTYPE)
    for path, size_bytes, chunks in blobs:
        yield from _member(path, size_bytes, chunks)
    yield bytes(_END_BYTES)


def _member(name: str, size_bytes: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield _header(name, size_bytes, tarfile.REGTYPE)
    yield from chunks
    yield bytes(-size_bytes % 512)


def _header(name: str, size_bytes: int, kind: bytes) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size_bytes, kind
    member.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return member.tobuf(tarfile.PAX_FORMAT)
