"""Opens the ledger file, and sets a damaged one aside. One of a newer version is left alone: the dockersweep that wrote
it goes on using it.

Two processes may set it aside at once while a third opens it. SQLite finds the files beside its own (-wal, -shm) by
name, so after a rename a process that has them open would write into, or delete, another ledger. So opening takes a
shared lock on the folder, renaming an exclusive one, and a file that another process has open is not renamed.
"""

import contextlib
import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from dockersweep.file_lock import lock_within
from dockersweep.files import is_plain_file, is_there, is_writable_by_others
from dockersweep.ledger.folder import FILE_NAME
from dockersweep.ledger.migrations import migrate
from dockersweep.ledger.schema import VERSION, version_of, what_differs

BUSY_SECONDS = 5.0
# SQLite's own lock on a database that is open in WAL mode (os_unix.c, SHARED_FIRST and SHARED_SIZE).
_SHARED_FIRST, _SHARED_SIZE = 0x40000002, 510
_BESIDE = ("-wal", "-shm", "-journal")
_DAMAGED = {
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CORRUPT,
    # The statements are ours and tested: where one makes no sense, the tables are not those of the version.
    sqlite3.SQLITE_ERROR,
}


class UnusableError(Exception):
    """The file is damaged, or newer than this version. The message continues "the file ..."."""


class NewerError(UnusableError):
    """The file is intact, and of a later version."""


# The last three come from rows that no version of dockersweep wrote.
FAULTS = (OSError, sqlite3.Error, UnusableError, ValueError, TypeError, OverflowError)


class LedgerFile:
    """The file in its folder, and its identity (device, inode) when it was opened."""

    def __init__(self, folder: Path) -> None:
        """Name the file in this folder; neither needs to exist."""
        self.path = folder / FILE_NAME
        self._opened: tuple[int, int] | None = None

    def open(self) -> sqlite3.Connection:
        """Return the ledger, created or migrated to the current version if needed.

        Raises OSError, sqlite3.Error, or UnusableError.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _held(self.path.parent, shared=True):
            # SQLite would create it readable for all. An existing file is not opened here: closing it again would drop
            # the POSIX locks of other connections of this process.
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
            _refuse_untrusted(self.path)
            _refuse_odd(self.path)
            self._opened = self._present()
            database = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                _prepare(database)
            except BaseException:
                database.close()
                raise
        return database

    def set_aside(self) -> str:
        """Rename the file, which was opened and is closed again; return what became of it, in words.

        It is never deleted, and never replaces another file.
        """
        try:
            with _held(self.path.parent, shared=False):
                if self._present() != self._opened:
                    return "another run has set it aside meanwhile"
                if _is_in_use(self.path):
                    return "it is left where it is, because another process has it open"
                return f"it is kept as {_rename(self.path)}, and the next run begins a new one"
        except FileNotFoundError:
            return "another run has set it aside meanwhile"
        except OSError as error:
            return f"it cannot be set aside: {error.strerror}"

    def is_replaced(self) -> bool:
        """Return whether another file, or none, is where the opened one was; False where that cannot be known."""
        try:
            return self._opened is not None and self._present() != self._opened
        except FileNotFoundError:
            return True
        except OSError:
            return False

    def _present(self) -> tuple[int, int]:
        state = self.path.stat()
        return state.st_dev, state.st_ino


def _refuse_untrusted(path: Path) -> None:
    """Raise PermissionError where root would trust a ledger that others can write: it says since when objects are
    unused, and what earlier runs did."""
    if os.geteuid() != 0:
        return
    for place in (path.parent, path):
        state = place.stat()
        if state.st_uid != 0 or is_writable_by_others(state):
            raise PermissionError(errno.EPERM, f"others than root can write {place}")


def _refuse_odd(path: Path) -> None:
    """Raise OSError for anything but a plain file: on a pipe SQLite would wait for a writer."""
    for file in (path, *(Path(f"{path}{ending}") for ending in _BESIDE)):
        if is_there(file) and not is_plain_file(file):
            raise OSError(errno.EINVAL, f"{file.name} is not a plain file")


def _prepare(database: sqlite3.Connection) -> None:
    version = version_of(database)
    check_version(version)
    if version == 0 and database.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
        raise UnusableError("holds tables that are not dockersweep's")
    if database.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        # Fails while another process uses the ledger; it works without, and the next run tries again.
        with contextlib.suppress(sqlite3.OperationalError):
            database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    if version < VERSION:
        migrate(database)
    check_tables(database)


def check_version(version: int) -> None:
    """Raise UnusableError for a newer or impossible version."""
    if version > VERSION:
        raise NewerError(f"was written by a newer dockersweep (version {version})")
    if version < 0:
        raise UnusableError(f"is damaged (there is no version {version})")


def check_tables(database: sqlite3.Connection) -> None:
    """Raise UnusableError where the tables are not those of the current version."""
    different = what_differs(database)
    if different:
        raise UnusableError(f"is damaged (it has {different})")


def open_to_read(folder: Path) -> sqlite3.Connection | None:
    """Return the ledger for reading, inside a transaction so that the view does not change; None where there is none.

    Writes nothing where that can be avoided. Raises OSError, sqlite3.Error, or UnusableError.
    """
    path = folder / FILE_NAME
    if not _is_readable(path):
        return None
    with _held(folder, shared=True):
        try:
            return _begin_reading(path, "mode=ro")
        except sqlite3.OperationalError as error:
            is_unwritable = code_of(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
            if not is_unwritable or is_there(f"{path}-wal"):
                raise
            # Nobody can write beside it, so nobody is writing to it now either.
            return _begin_reading(path, "mode=ro&immutable=1")


def _is_readable(path: Path) -> bool:
    """Return whether there is a ledger. Raises OSError with the cause, where SQLite only says "unable to open"."""
    if not is_there(path):
        return False
    _refuse_odd(path)
    if not os.access(path, os.R_OK, effective_ids=True):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return True


def _begin_reading(path: Path, how: str) -> sqlite3.Connection:
    where = f"{path.absolute().as_uri()}?{how}"
    database = sqlite3.connect(where, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        database.execute("BEGIN")
        version_of(database)
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        database.close()
        raise
    return database


def is_damage(error: BaseException) -> bool:
    """Whether an error means that the file itself is damaged, not that it is newer, busy, full or out of reach."""
    if isinstance(error, sqlite3.Error):
        code = code_of(error)
        # The error for text that is not UTF-8 has no code.
        return code in _DAMAGED or (code is None and "decode" in str(error))
    # With a damaged schema SQLite's own message may not be UTF-8, and Python fails to decode it.
    return isinstance(error, UnusableError | UnicodeDecodeError) and not isinstance(error, NewerError)


def code_of(error: sqlite3.Error) -> int | None:
    """Return SQLite's primary error code; None for an error that Python raised itself."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def words_of(error: BaseException) -> str:
    """Return what is wrong with the file, to follow its name: "is damaged (...)", "cannot be used: ..."."""
    if isinstance(error, UnusableError):
        return str(error)
    if is_damage(error):
        return f"is damaged ({error})"
    return f"cannot be used: {getattr(error, 'strerror', None) or error}"


def _rename(path: Path) -> Path:
    stem = f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    for attempt in range(1, 1000):
        aside = path.with_name(stem if attempt == 1 else f"{stem}-{attempt}")
        if not any(is_there(f"{aside}{ending}") for ending in ("", *_BESIDE)):
            break
    for ending in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{path}{ending}", f"{aside}{ending}")
    # Last: while it still has its name, nobody creates a new one.
    os.rename(path, aside)
    return aside


def _is_in_use(path: Path) -> bool:
    """Whether another process has the database open."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
    except (BlockingIOError, PermissionError):
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def _held(folder: Path, shared: bool) -> Iterator[None]:
    """Hold a lock on the folder, shared or exclusive; raises TimeoutError if another process keeps it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        lock_within(descriptor, BUSY_SECONDS, shared)
        yield
    except BlockingIOError:
        raise TimeoutError(0, "another process holds its folder") from None
    finally:
        os.close(descriptor)
