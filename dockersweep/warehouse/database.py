"""A database in a private folder: rows are loaded, then nothing outside of it can be reached any more."""

import os
import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pkgutil import get_data
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

from msgspec import Struct

from dockersweep.errors import UsageError
from dockersweep.warehouse.columns import columns_of, declared_columns
from dockersweep.warehouse.row_files import ROWS
from dockersweep.warehouse.rows import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LARGEST_ROW_BYTES = 1 << 25
KILLED_BY = 128
"""Added to the number of a signal: the exit status."""
_CONFIGURATION = {
    "allow_community_extensions": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    # Otherwise a name in a query could be a variable of this program.
    "python_enable_replacements": "false",
    "preserve_insertion_order": "false",
    "memory_limit": "600MB",
}


LISTED = frozenset(TABLES) - {"runs", "removals"}
"""The tables of what documents list."""
_VIEWS_OF = {"objects": ("images", "volumes")}


class Answer(Struct, frozen=True):
    """What a query found."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


def require_duckdb() -> None:
    """Raise UsageError where DuckDB is not installed. It is not imported: after that, no process may be forked."""
    from importlib.util import find_spec

    if find_spec("duckdb") is None:
        raise UsageError(
            "this needs DuckDB, which is not installed: install dockersweep with its extra fleet, "
            "by `pip install 'dockersweep[fleet]'`"
        )


class _Ended(KeyboardInterrupt):
    """A signal that ends the process has come: DuckDB stops a query for no other exception."""


@contextmanager
def private_folder() -> Iterator[str]:
    """Yield a folder that nobody else can read, for rows and a database; it is removed at the end, also after a
    signal."""
    came: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        came.append(number)
        raise _Ended

    numbers = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) == signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, end)
    try:
        with TemporaryDirectory(prefix="dockersweep-fleet-") as folder:
            yield folder
    except (_Ended, RuntimeError) as error:
        # DuckDB makes a RuntimeError of what the handler of a signal raises.
        if isinstance(error, RuntimeError) and str(error) != "Query interrupted":
            raise
        raise SystemExit(KILLED_BY + came[0]) if came else KeyboardInterrupt from None
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


class Warehouse:
    """The tables of documents, in a database."""

    def __init__(self, folder: str) -> None:
        """Create the database in a private folder, without rows. Raises UsageError where DuckDB is not installed."""
        require_duckdb()
        import duckdb

        self._folder = folder
        configuration: dict[str, str | bool | int | float | list[str]] = {
            **_CONFIGURATION,
            "temp_directory": os.path.join(folder, "spill"),
        }
        self.connection: DuckDBPyConnection = duckdb.connect(
            os.path.join(folder, "warehouse.duckdb"), config=configuration
        )
        # Its bar would go to standard output.
        self.connection.execute("SET enable_progress_bar = false")
        self.connection.execute("CREATE SCHEMA loaded")
        for table, row in TABLES.items():
            self.connection.execute(f"CREATE TABLE loaded.{table} ({declared_columns(row)})")

    def __enter__(self) -> Self:
        """Close it at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.connection.close()

    def load_rows(self) -> None:
        """Load the rows that were written to its folder."""
        for table, row in TABLES.items():
            names = [name for name in os.listdir(self._folder) if name.startswith(f"{table}.")]
            files = [os.path.join(self._folder, name) for name in names if name.endswith(ROWS)]
            if files:
                self.connection.execute(
                    f"INSERT INTO loaded.{table} BY NAME SELECT * FROM read_json(?, format = 'newline_delimited', "
                    f"columns = {columns_of(row)}, maximum_object_size = {LARGEST_ROW_BYTES})",
                    [files],
                )

    def find_newest(self) -> None:
        """Find which runs count for the present; all are loaded."""
        self._run("newest.sql")

    def close_in(self) -> None:
        """Make the views of what was loaded, and forbid everything but queries of them."""
        self._run("views.sql")
        self.connection.execute("SET enable_external_access = false")
        self.connection.execute("SET lock_configuration = true")

    def _run(self, name: str) -> None:
        sql = get_data("dockersweep.warehouse", name)
        assert sql is not None, "the loader of the package tells of no files"
        self.connection.execute(sql.decode())

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query of ours."""
        return self.connection.execute(sql).fetchall()

    def answer(self, sql: str) -> Answer:
        """Return what a query of somebody else finds. Raises UsageError with what is wrong, in one sentence."""
        import duckdb

        try:
            _refuse_others(self.connection.extract_statements(sql))
            return self._interruptible(sql)
        except duckdb.Error as error:
            raise UsageError(f"the query fails: {in_one_sentence(error)}") from None

    def _interruptible(self, sql: str) -> Answer:
        """Run a query in a thread: this one could not be interrupted before DuckDB comes to a pause."""
        from concurrent.futures import ThreadPoolExecutor, wait

        def run() -> Answer:
            found = self.connection.execute(sql)
            return Answer(tuple(column[0] for column in found.description or ()), found.fetchall())

        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(run)
            try:
                return answer.result()
            except KeyboardInterrupt:
                # Again until it is over: it may not have begun yet.
                while not answer.cancel() and wait([answer], 0.1).not_done:
                    self.connection.interrupt()
                raise


def tables_in(sql: str) -> frozenset[str]:
    """Return the tables of lists that a query may read: those of which it has a name."""
    text = sql.lower()
    # This function of SQL runs what a text says.
    if "query" in text:
        return LISTED
    return frozenset(table for table in LISTED if any(view in text for view in (table, *_VIEWS_OF.get(table, ()))))


def _refuse_others(statements: Sequence[Any]) -> None:
    """Raise UsageError for anything but one query."""
    from duckdb import StatementType

    if len(statements) != 1:
        what = "no statement" if not statements else f"{len(statements)} statements"
        raise UsageError(f"a query is one SELECT: this is {what}")
    if statements[0].type not in (StatementType.SELECT, StatementType.EXPLAIN):
        raise UsageError(f"a query only reads: write a SELECT, not {statements[0].type.name}")


def in_one_sentence(error: Exception) -> str:
    """Return the message of DuckDB without its drawing of the place: "Table with name object does not exist! Did you
    mean "objects"?"."""
    text = " ".join(str(error).partition("\n\nLINE ")[0].split())
    return re.sub(r"^[A-Z][A-Za-z ]{0,30} Error: ", "", text)
