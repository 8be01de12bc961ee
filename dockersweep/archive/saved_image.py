"""Reads what an engine saves of an image, in any of the forms that engines have, and makes one of them: an OCI layout.

    Docker before 25    <id>.json, <layer>/layer.tar (a link where a layer is there twice), manifest.json
    Docker since then   blobs/sha256/<digest>, manifest.json, index.json, oci-layout
    Podman              <id>.json, <layer>.tar, links to these, manifest.json

Blobs stay what they are: an id is the digest of one of them.
"""

import posixpath
import tarfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, Protocol, cast

import msgspec
from msgspec import Struct

from dockersweep.errors import NotArchivedError
from dockersweep.model.image_references import tag_of, with_registry, with_tag

CHUNK_BYTES = 1 << 20
LARGEST_DOCUMENT_BYTES = 64_000_000
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_DOCUMENTS = ("manifest.json", "index.json", "oci-layout", "repositories")
_OF_OLD_FORMS = ("VERSION", "json")
"""What each layer has beside it there, and nothing reads any more."""
_NAME, _REF_NAME = "io.containerd.image.name", "org.opencontainers.image.ref.name"

Json = dict[str, Any]


class Blob(Struct, frozen=True):
    """A blob that was stored."""

    digest: str
    """Its SHA-256 in hexadecimal digits."""
    size_bytes: int


class Blobs(Protocol):
    """Where blobs are stored."""

    def store(self, chunks: Iterable[bytes]) -> Blob:
        """Store a blob and return its digest."""

    def read(self, digest: str, largest_bytes: int) -> bytes:
        """Return the content of a small blob."""


class LayoutImage(Struct, frozen=True):
    """One image in an OCI layout."""

    descriptors: tuple[Json, ...]
    """Its entries in index.json, one a tag."""
    entry: Json | None
    """Its entry in manifest.json; None where the engine gave none, as of an image of other platforms."""
    blobs: tuple[Blob, ...]

    @property
    def index(self) -> bytes:
        """An index.json of this image alone."""
        return index_of(self.descriptors)

    @property
    def manifest(self) -> bytes | None:
        """A manifest.json of this image alone."""
        return None if self.entry is None else msgspec.json.encode([self.entry])


def index_of(descriptors: Iterable[Json]) -> bytes:
    """Return an index.json."""
    media_type = "application/vnd.oci.image.index.v1+json"
    return msgspec.json.encode({"schemaVersion": 2, "mediaType": media_type, "manifests": list(descriptors)})


def read_saved(tar: Iterable[bytes], image_id: str, tags: Iterable[str], blobs: Blobs) -> LayoutImage:
    """Store the blobs of the image with this id, and return what it is in an OCI layout, with these tags.

    Raises NotArchivedError where that image is not in the stream, not whole, or in a form that is not known.
    """
    wanted = image_id.removeprefix("sha256:")
    try:
        saved = _Saved(tar, blobs)
        manifest = saved.manifest_of(wanted)
        if manifest is None:
            raise NotArchivedError(f"the engine gave another image than {wanted[:12]}")
        needed = list(dict.fromkeys(saved.needed_by(manifest)))
        return LayoutImage(
            descriptors=tuple(_named(manifest, tuple(tags))),
            entry=saved.entry_of(manifest, tuple(tags)),
            blobs=tuple(saved.blob(digest) for digest in needed),
        )
    except (tarfile.TarError, msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError, AttributeError) as error:
        raise NotArchivedError(f"the engine gave an image in a form that is not known: {error!r}") from None


def _named(descriptor: Json, tags: tuple[str, ...]) -> Iterator[Json]:
    """Yield the entries of an image for an index.json, one a tag."""
    bare = without_names(descriptor)
    if not tags:
        yield bare
    for tag in tags:
        names = {_NAME: with_registry(with_tag(tag)), _REF_NAME: tag_of(with_tag(tag))}
        yield bare | {"annotations": bare.get("annotations", {}) | names}


def without_names(descriptor: Json) -> Json:
    """Return an entry of an index.json without the name of the image."""
    bare = {key: value for key, value in descriptor.items() if key != "annotations"}
    annotations = descriptor.get("annotations") or {}
    kept = {key: value for key, value in annotations.items() if key not in (_NAME, _REF_NAME)}
    return bare | {"annotations": kept} if kept else bare


class _Saved:
    """The stream of one image, read."""

    def __init__(self, tar: Iterable[bytes], blobs: Blobs) -> None:
        self._blobs = blobs
        self._documents: dict[str, bytes] = {}
        self._files: dict[str, Blob] = {}
        """Path in the stream -> its blob."""
        self._links: dict[str, str] = {}
        with tarfile.open(fileobj=cast("IO[bytes]", _Stream(tar)), mode="r|", bufsize=CHUNK_BYTES) as members:
            for member in members:
                self._take(members, member)
                # It keeps all of them otherwise.
                members.members = []  # type: ignore[attr-defined]
        self._by_digest = {blob.digest: blob for blob in self._files.values()}

    def _take(self, members: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = posixpath.normpath(member.name)
        if member.issym():
            self._links[path] = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))
        elif member.islnk():
            self._links[path] = posixpath.normpath(member.linkname)
        elif member.isreg():
            self._store(members, member, path)

    def _store(self, members: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        file = members.extractfile(member)
        assert file is not None
        if path in _DOCUMENTS:
            if member.size > LARGEST_DOCUMENT_BYTES:
                raise NotArchivedError(f"the engine gave a {path} of {member.size} bytes")
            self._documents[path] = file.read()
        elif posixpath.basename(path) not in _OF_OLD_FORMS:
            blob = self._files[path] = self._blobs.store(iter(lambda: file.read(CHUNK_BYTES), b""))
            if path.startswith("blobs/sha256/") and blob.digest != posixpath.basename(path):
                raise NotArchivedError(f"the engine gave a damaged image: {path} is not what its name says")

    def manifest_of(self, wanted: str) -> Json | None:
        """Return the descriptor of the image with this id; None where it is not there."""
        if "index.json" not in self._documents:
            entry = self._entry_with(wanted)
            return None if entry is None else self._made_manifest(entry)
        index = msgspec.json.decode(self._documents["index.json"])
        for descriptor in index["manifests"]:
            digest = _hex(descriptor)
            if digest == wanted or _hex(self._document(digest).get("config") or {}) == wanted:
                found: Json = descriptor
                return found
        return None

    def needed_by(self, descriptor: Json) -> Iterator[str]:
        """Yield the digests of all blobs of an image. Of an index those of the platforms that are there."""
        digest = _hex(descriptor)
        yield digest
        document = self._document(digest)
        if "manifests" in document:
            whole = [child for child in document["manifests"] if self._is_whole(child)]
            if not whole:
                raise NotArchivedError("the engine gave no platform of the image in full")
            for child in whole:
                yield from self.needed_by(child)
            return
        for part in (document["config"], *document["layers"]):
            yield _hex(part)

    def _is_whole(self, descriptor: Json) -> bool:
        digest = _hex(descriptor)
        if digest not in self._by_digest:
            return False
        document = self._document(digest)
        if "manifests" in document:
            return any(map(self._is_whole, document["manifests"]))
        return all(_hex(part) in self._by_digest for part in (document["config"], *document["layers"]))

    def entry_of(self, descriptor: Json, tags: tuple[str, ...]) -> Json | None:
        """Return the entry of an image for a manifest.json; None where the engine gave none."""
        config = _hex(self._document(_hex(descriptor)).get("config") or {})
        entry = self._entry_with(config)
        if entry is None:
            return None
        sources = {"LayerSources": entry["LayerSources"]} if "LayerSources" in entry else {}
        layers = [f"blobs/sha256/{self._file(path).digest}" for path in entry["Layers"] or ()]
        return {"Config": f"blobs/sha256/{config}", "RepoTags": list(tags) or None, "Layers": layers, **sources}

    def blob(self, digest: str) -> Blob:
        """Return a blob that was in the stream. Raises NotArchivedError where it was not."""
        if digest not in self._by_digest:
            raise NotArchivedError(f"the engine gave an image that is not whole: {digest[:12]} is missing")
        return self._by_digest[digest]

    def _entry_with(self, config: str) -> Json | None:
        entries = msgspec.json.decode(self._documents.get("manifest.json", b"[]"), type=list[Json])
        return next((entry for entry in entries if self._file(entry["Config"]).digest == config), None)

    def _made_manifest(self, entry: Json) -> Json:
        """Store a manifest of an image that came without one."""
        config = self._file(entry["Config"])
        layers = [self._file(path) for path in entry["Layers"] or ()]
        document = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _described(_CONFIG, config),
            "layers": [_described(_LAYER, layer) for layer in layers],
        }
        made = self._blobs.store([msgspec.json.encode(document)])
        self._by_digest[made.digest] = made
        return _described(_MANIFEST, made)

    def _file(self, path: str) -> Blob:
        """Return the blob at a path of the stream, links followed."""
        path = posixpath.normpath(path)
        for _ in range(len(self._links) + 1):
            if path not in self._links:
                break
            path = self._links[path]
        if path not in self._files:
            raise NotArchivedError(f"the engine gave an image that is not whole: {path} is missing")
        return self._files[path]

    def _document(self, digest: str) -> Json:
        self.blob(digest)
        return msgspec.json.decode(self._blobs.read(digest, LARGEST_DOCUMENT_BYTES), type=Json)


def _described(media_type: str, blob: Blob) -> Json:
    return {"mediaType": media_type, "digest": f"sha256:{blob.digest}", "size": blob.size_bytes}


def _hex(descriptor: Json) -> str:
    digest: str = descriptor.get("digest", "")
    return digest.removeprefix("sha256:")


class _Stream:
    """Pieces as a file to read."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._next: Callable[[], bytes] = iter(_with_end(chunks)).__next__
        self._rest = b""

    def read(self, size: int) -> bytes:
        if not self._rest:
            self._rest = self._next()
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def _with_end(chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield from (chunk for chunk in chunks if chunk)
    while True:
        yield b""
