"""Reads every file of a run and compares it with the index."""

from collections.abc import Iterator

from dockersweep.archive.run_reader import RunReader
from dockersweep.errors import ArchiveError
from dockersweep.model.archive import ArchivedObject, ArchiveProblem


def verify(run: RunReader) -> Iterator[ArchiveProblem]:
    """Yield what is wrong with a run, file by file. A file that several objects have is read once, and told with the
    first of them."""
    known: set[str] = set()
    for archived in run.objects:
        for file in archived.files:
            if file.path in known:
                continue
            known.add(file.path)
            try:
                for _ in run.stored(file):
                    pass
            except ArchiveError as error:
                yield _problem(run, archived, file.path, str(error))


def _problem(run: RunReader, archived: ArchivedObject, path: str, text: str) -> ArchiveProblem:
    return ArchiveProblem(
        run=run.name, kind=archived.kind, id=archived.id, name=archived.name, path=path, text=text
    )  # fmt: skip
