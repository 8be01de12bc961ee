"""Archives to test with."""

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from dockersweep.archive.folder import ArchiveFolder, open_archive
from dockersweep.archive.run_reader import RunReader
from dockersweep.archive.run_writer import RunWriter
from dockersweep.model.archive import Original
from dockersweep.model.inventory import Kind
from dockersweep.model.policy import ArchiveSettings, Space
from dockersweep.units import parse_age, parse_size
from tests.rig.inventories import ENGINE

BEGUN_AT = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)


def settings(max_size: str | None = None, min_free: str = "1MB", keep_for: str = "14d") -> ArchiveSettings:
    """Return the settings of an archive."""
    return ArchiveSettings(
        keep_for=parse_age(keep_for),
        max_size=None if max_size is None else Space(text=max_size, size_bytes=parse_size(max_size)),
        min_free=Space(text=min_free, size_bytes=parse_size(min_free)),
    )


def original(name: str = "pg-old", kind: Kind = "volume", object_id: str | None = None) -> Original:
    """Return an object to archive."""
    return Original(kind=kind, id=object_id or name, name=name, size_bytes=None)


def archive_in(folder: Path) -> ArchiveFolder:
    """Return the archive in a folder."""
    return open_archive(str(folder / "archive"))


def tar_with(*contents: bytes) -> list[bytes]:
    """Return a tar with a file for each of these, in odd pieces."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number, content in enumerate(contents):
            member = tarfile.TarInfo(f"./file{number}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    data = buffer.getvalue()
    return [data[place : place + 7777] for place in range(0, len(data), 7777)]


@contextmanager
def a_run(
    archive: ArchiveFolder, number: int | None = 12, at: datetime = BEGUN_AT, of: ArchiveSettings | None = None
) -> Iterator[RunWriter]:
    """Begin a run, and finish it at the end."""
    with archive.begin(ENGINE, number, at, of or settings()) as run:
        yield run


def reader_of(archive: ArchiveFolder, run: RunWriter) -> RunReader:
    """Return a run to read."""
    return archive.open_run(run.name)
