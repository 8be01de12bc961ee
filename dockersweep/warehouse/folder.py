"""The files of a folder that may be documents."""

import os
from collections.abc import Iterator

from msgspec import Struct

from dockersweep.errors import DocumentError
from dockersweep.files import is_folder, what_is_wrong


class Files(Struct, frozen=True):
    """The files of a folder and of those below it, by the end of their names."""

    json: tuple[str, ...]
    parquet: tuple[str, ...]


def files_in(folder: str) -> Files:
    """Return the files below a folder, in order of their paths. Links to folders are not followed, and names that begin
    with a dot are left out: a file that is being written has such a name.

    Raises DocumentError where the folder cannot be read, or has no such file.
    """
    try:
        if not is_folder(folder):
            raise DocumentError(f"{folder} is not a directory: name one with documents, written with --format json")
        paths = sorted(_paths_in(folder))
    except OSError as error:
        raise DocumentError(f"{what_is_wrong(error)}: a directory with documents is needed") from None
    found = Files(*(tuple(path for path in paths if path.endswith(end)) for end in (".json", ".parquet")))
    if not (found.json or found.parquet):
        raise DocumentError(f"{folder} has no files that end in .json or .parquet")
    return found


def _paths_in(folder: str) -> Iterator[str]:
    def fail(error: OSError) -> None:
        raise error

    for here, folders, names in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (os.path.join(here, name) for name in names if not name.startswith("."))
