"""Deletes runs from the archive: only files that the run names, then the folders that are empty without them."""

import fcntl
import os
import re
import shutil
import stat
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress

from dockersweep.archive.paths import (
    DELETED,
    INDEX,
    OBJECT,
    PARTIAL,
    cannot,
    is_run_name,
    open_folder_below,
    sync_folder,
)
from dockersweep.archive.run_reader import read_archive
from dockersweep.errors import ArchiveError
from dockersweep.model.archive import Archive

_BLOB = re.compile(r"[0-9a-f]{64}")
_BLOBS = "images/blobs/sha256"
_OWN = {"images": ("oci-layout", "index.json", "manifest.json")}
"""Folder in that of a run -> the files in it that no object names."""


class InUseError(ArchiveError):
    """Somebody writes or reads the run."""


@contextmanager
def _alone(path: str) -> Iterator[int]:
    """Yield the open folder of a run that nobody else writes or reads meanwhile. Raises InUseError and ArchiveError."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise cannot("read", path, error) from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder
    except BlockingIOError:
        raise InUseError(f"another dockersweep writes or reads {path}: try again when that has ended") from None
    finally:
        os.close(folder)


def is_in_use(path: str) -> bool:
    """Return whether somebody writes or reads a run. Raises ArchiveError where it cannot be read."""
    try:
        with _alone(path):
            return False
    except InUseError:
        return True


def delete_run(path: str) -> None:
    """Delete a run. Whoever calls this holds the lock of the archive.

    Raises InUseError, and ArchiveError where it cannot be read or deleted, or something else is in its folder: that
    stays, and is named.
    """
    with _alone(path) as folder:
        try:
            archive = read_archive(folder, path)
        except ArchiveError as error:
            raise ArchiveError(f"{error}; what cannot be read is not deleted: delete {path} by hand") from None
        try:
            _refuse_foreign(folder, archive, path)
            aside = _beside(path, DELETED)
            os.rename(path, aside)
            sync_folder(os.path.dirname(path))
            _delete_aside(folder, archive, aside, path)
        except OSError as error:
            raise cannot("deleted", path, error) from None


def _refuse_foreign(folder: int, archive: Archive, path: str) -> None:
    """Raise ArchiveError for a file that is not dockersweep's: before anything is deleted, so that what the index names
    stays as long as the run does. Raises OSError."""
    named = {file.path for archived in archive.objects for file in archived.files}
    foreign = next(_foreign(folder, "", named), None)
    if foreign is not None:
        raise _not_ours(path, foreign)


def _foreign(folder: int, place: str, named: Container[str]) -> Iterator[str]:
    for name in sorted(os.listdir(folder)):
        path = f"{place}/{name}".lstrip("/")
        if name.startswith(PARTIAL) or path in named:
            continue
        if _is_folder(name, folder):
            with open_folder_below(folder, name) as inner:
                yield from _foreign(inner, path, named)
        elif not _is_of_run(place, name):
            yield path


def _is_of_run(place: str, name: str) -> bool:
    """Whether a file in a run's folder is dockersweep's, though no object names it."""
    is_index = not place and name == INDEX
    is_blob = place == _BLOBS and _BLOB.fullmatch(name) is not None
    return is_index or is_blob or name == OBJECT or name in _OWN.get(place, ())


def _not_ours(path: str, name: str) -> ArchiveError:
    return ArchiveError(
        f"{path}/{name} is not dockersweep's, so it stays: look at it, and delete it by hand, then try again"
    )


def _delete_aside(folder: int, archive: Archive, aside: str, path: str) -> None:
    """Delete a run whose folder lies aside. Raises OSError, and ArchiveError where something else is in it: then it
    is back in its place."""
    left = _delete(folder, archive)
    if not left:
        os.rmdir(aside)
        return
    os.rename(aside, path)
    raise _not_ours(path, left[0])


def _beside(path: str, beginning: str) -> str:
    folder, name = os.path.split(path)
    return f"{folder}/{beginning}{name}"


def _delete(folder: int, archive: Archive) -> list[str]:
    """Delete what is dockersweep's in the folder of a run; return what is left. The index names all of it: it goes
    last, so that this can go on after a kill."""
    _delete_leftovers(folder)
    for name in {file.path for archived in archive.objects for file in archived.files}:
        _unlink(folder, name)
    left = list(_delete_tree(folder, ""))
    if not left:
        _unlink(folder, INDEX)
    return left


def tidy(path: str) -> None:
    """Delete what is half done or half deleted in the folder of an archive, whose lock the caller holds.

    Runs that somebody writes or reads are left alone. Raises ArchiveError, for a run that is spoiled once all others
    are tidy.
    """
    spoiled: ArchiveError | None = None
    try:
        names = sorted(os.listdir(path))
    except OSError as error:
        raise cannot("read", path, error) from None
    for name in names:
        try:
            if name.startswith(DELETED) and is_run_name(name.removeprefix(DELETED)):
                _go_on(f"{path}/{name}", f"{path}/{name.removeprefix(DELETED)}")
            elif is_run_name(name):
                _tidy_run(f"{path}/{name}")
        except InUseError:
            continue
        except ArchiveError as error:
            spoiled = spoiled or error
    if spoiled is not None:
        raise spoiled


def _go_on(aside: str, path: str) -> None:
    """Go on to delete a run where that was killed; `path` is where it was."""
    with _alone(aside) as folder:
        try:
            if INDEX in os.listdir(folder):
                _delete_aside(folder, read_archive(folder, aside), aside, path)
            else:
                os.rmdir(aside)
        except OSError as error:
            raise cannot("deleted", aside, error) from None


def _tidy_run(path: str) -> None:
    with _alone(path) as folder:
        try:
            _delete_leftovers(folder)
            if not os.listdir(folder):
                # It was killed before it had an index.
                os.rmdir(path)
                return
        except OSError as error:
            raise cannot("deleted", path, error) from None
        # What cannot be read is told by whoever lists it.
        with suppress(ArchiveError):
            if read_archive(folder, path).objects:
                return
            _delete_empty(folder, path)


def _delete_empty(folder: int, path: str) -> None:
    """Delete a run that archived nothing, unless something else is in its folder."""
    try:
        if not list(_delete_tree(folder, "")):
            _unlink(folder, INDEX)
            os.rmdir(path)
    except OSError as error:
        raise cannot("deleted", path, error) from None


def _delete_leftovers(folder: int) -> None:
    """Delete everything that was being written: its name says so."""
    for name in os.listdir(folder):
        if name.startswith(PARTIAL):
            _delete_partial(name, folder)
        elif _is_folder(name, folder):
            with open_folder_below(folder, name) as inner:
                _delete_leftovers(inner)


def _delete_partial(name: str, folder: int) -> None:
    if _is_folder(name, folder):
        shutil.rmtree(name, dir_fd=folder)
    else:
        os.unlink(name, dir_fd=folder)


def _delete_tree(folder: int, place: str) -> Iterator[str]:
    """Delete what belongs to no object alone, and the empty folders; yield what is left, but the index of the run."""
    for name in sorted(os.listdir(folder)):
        path = f"{place}/{name}".lstrip("/")
        if _is_folder(name, folder):
            with open_folder_below(folder, name) as inner:
                left = list(_delete_tree(inner, path))
            if not left:
                os.rmdir(name, dir_fd=folder)
            yield from left
        elif path == INDEX:
            continue
        elif _is_of_run(place, name):
            os.unlink(name, dir_fd=folder)
        else:
            yield path


def _is_folder(name: str, folder: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


def _unlink(folder: int, path: str) -> None:
    """Delete a file, if it is there."""
    *folders, name = path.split("/")
    with suppress(FileNotFoundError), open_folder_below(folder, *folders) as inner:
        os.unlink(name, dir_fd=inner)
