"""What a run has put into the archive before it removed it: the document dockersweep.archive/1."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from dockersweep.model.inventory import Engine, Kind, OfObject
from dockersweep.model.quantities import Bytes, Instant

ReadFrom = Literal["disk", "api"]
"""disk: the engine's own folder, read as root beside it. api: the engine's answers."""


class Original(OfObject, frozen=True, kw_only=True, gc=False):
    """An object of an engine that goes into the archive."""

    name: str
    """Of an image its first tag; of one without tags its short id."""
    tags: tuple[str, ...] = ()
    """All tags of an image."""
    size_bytes: Bytes | None
    """What it takes on the engine; None where that is not known."""


class ArchivedFile(Struct, frozen=True, kw_only=True, gc=False):
    """One file of the archive."""

    path: str
    """Relative to the folder of the run: "volumes/pg-old/data.tar.zst"."""
    size_bytes: Bytes
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class ArchivedObject(OfObject, frozen=True, kw_only=True, gc=False):
    """One object of an engine in the archive."""

    name: str
    """Of an image its first tag; of one without tags its short id."""
    tags: tuple[str, ...] = ()
    """All tags of an image."""
    archived_at: Instant
    read_from: ReadFrom
    size_bytes: Bytes | None
    """What it took on the engine; None where that is not known."""
    files: tuple[ArchivedFile, ...]
    """Of an image also the blobs that it shares with others."""
    entries: Annotated[int, Meta(ge=0)] | None = None
    """How many files and folders are in it; None where they were not counted."""
    not_kept: tuple[str, ...] = ()
    """What the archive does not have of it, for people: "ACLs", "extended attributes", "2 sockets"."""


class Archive(Struct, frozen=True, kw_only=True):
    """What one run has archived: dockersweep.archive/1, the file index.json in the folder of the run."""

    schema: Literal["dockersweep.archive/1"]
    engine: Engine
    run: int | None
    """The number of the run in the ledger; None where no ledger was used."""
    version: str
    """The version of dockersweep."""
    begun_at: Instant
    until: Instant
    """Until when retention keeps it."""
    objects: tuple[ArchivedObject, ...]


class ArchiveProblem(OfObject, frozen=True, kw_only=True):
    """A file of the archive that is damaged or gone."""

    run: str
    """The name of the folder of the run."""
    name: str
    """Of the object that has the file."""
    path: str
    """Below the folder of the run."""
    text: str
    """For people."""


RunStatus = Literal["kept", "goes", "deleted", "failed"]
"""kept: nobody wants it to go. goes: it would be deleted. failed: it was to be deleted, and is still there."""


class RunInArchive(Struct, frozen=True, kw_only=True):
    """One run in the archive, and what became of it."""

    archive: str
    """The folder of the archive that it is in, absolute."""
    folder: str
    """The name of its folder there."""
    size_bytes: Bytes
    """What it takes of the disk; blobs that several images share once."""
    run: int | None = None
    """Its number in the ledger; None where none was used, or it cannot be read."""
    engine: str | None = None
    """The name of the engine's host, or where it was reached."""
    begun_at: Instant | None = None
    until: Instant | None = None
    objects: dict[Kind, Annotated[int, Meta(ge=0)]] = {}
    """How many objects of each kind are in it."""
    problem: str | None = None
    """Why it cannot be read or deleted, for people."""
    verified_at: Instant | None = None
    """When it was verified last; None for never."""
    damaged: tuple[ArchiveProblem, ...] = ()
    """What is damaged in it, by its last verification."""
    status: RunStatus = "kept"


class ArchivePlace(Struct, frozen=True, kw_only=True):
    """The folder of an archive."""

    folder: str
    """Absolute, without links."""
    size_bytes: Bytes | None
    """What it takes of its disk; None where that cannot be told."""
    problem: str | None = None
    """Why it cannot be read, for people; None where it can."""


class ArchiveReport(Struct, frozen=True, kw_only=True):
    """What is in the archives, and what `archive` has done there: dockersweep.archive-report/1."""

    schema: Literal["dockersweep.archive-report/1"]
    archives: tuple[ArchivePlace, ...]
    """That of the policy first, then the others that the ledger names; only the one that was named, if one was."""
    runs: tuple[RunInArchive, ...]
    """Archive by archive, the oldest first."""
    files: Annotated[int, Meta(ge=0)] | None = None
    """How many files were verified; None where none was to be."""
    problems: tuple[ArchiveProblem, ...] = ()
    """What the verification has found."""
