"""Documents as Parquet: a row a document, with the rows of the other tables as lists in it.

Its column `schema` says so in each row, so that whatever joins files keeps it.
"""

import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from dockersweep.errors import DocumentError, OutputError
from dockersweep.files import what_is_wrong
from dockersweep.model.fleet_report import SkippedFile
from dockersweep.warehouse.columns import list_type
from dockersweep.warehouse.database import Warehouse, in_one_sentence, private_folder, require_duckdb
from dockersweep.warehouse.row_files import RowFiles
from dockersweep.warehouse.rows import MOST_HOSTS, TABLES, Rows

SCHEMA = "dockersweep.rows/1"
LISTS = tuple(table for table in TABLES if table != "runs")
AT_ONCE = 500
"""How many files are read together."""
_RUN = f"{MOST_HOSTS} * parse_filename(filename, true)::BIGINT + file_row_number"


def parquet_of(rows: Rows) -> bytes:
    """Return a file with the rows of one document. Raises UsageError where DuckDB is not installed, and OutputError
    where a temporary file cannot be written."""
    require_duckdb()
    import duckdb

    try:
        with private_folder() as folder, Warehouse(folder) as warehouse:
            with RowFiles(folder, "rows") as files:
                files.write(rows)
            warehouse.load_rows()
            return _copied(warehouse, os.path.join(folder, "rows.parquet"))
    except (OSError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
        why = what_is_wrong(error) if isinstance(error, OSError) else in_one_sentence(error)
        raise OutputError(f"a temporary file cannot be written: {why}") from None


def _copied(warehouse: Warehouse, path: str) -> bytes:
    lists = ", ".join(
        f"(SELECT coalesce(list(of_run), []) FROM (SELECT * EXCLUDE (run) FROM loaded.{table}) of_run) AS {table}"
        for table in LISTS
    )
    warehouse.connection.execute(
        f"COPY (SELECT '{SCHEMA}' AS schema, * EXCLUDE (run, file), {lists} FROM loaded.runs) TO {_quoted(path)} "
        "(FORMAT parquet, COMPRESSION zstd)"
    )
    return Path(path).read_bytes()


class ParquetFiles:
    """Files with what `parquet_of` returns, or with several of these joined."""

    def __init__(self, warehouse: Warehouse, folder: str, paths: Sequence[str], first: int) -> None:
        """Nothing is read yet. `folder` is the private one, `first` the number of the first file."""
        self.skipped: list[SkippedFile] = []
        self._warehouse = warehouse
        self._first = first
        self._path_of = {os.path.join(folder, f"{first + place}.parquet"): path for place, path in enumerate(paths)}
        """The name by which each is read -> its path, in which a * or a [ would be a pattern."""
        for link, path in self._path_of.items():
            os.symlink(os.path.abspath(path), link)

    def load_runs(self) -> None:
        """Load the rows of documents, and of removals."""
        links = list(self._path_of)
        for place in range(0, len(links), AT_ONCE):
            self._load(links[place : place + AT_ONCE], self._load_runs_of)

    def load_lists(self, tables: Collection[str], only_newest: bool) -> None:
        """Load what the documents list; with `only_newest` only those that count for the present."""
        which = "SELECT run FROM loaded.newest" if only_newest else "SELECT run FROM loaded.runs"
        first_run = self._first * MOST_HOSTS
        numbers = self._warehouse.rows(f"SELECT DISTINCT run // {MOST_HOSTS} FROM ({which}) WHERE run >= {first_run}")
        links = [link for link in self._path_of if (int(Path(link).stem),) in set(numbers)]

        def load(some: Sequence[str]) -> None:
            for table in tables:
                self._insert_list(table, some, which)

        for place in range(0, len(links), AT_ONCE):
            self._load(links[place : place + AT_ONCE], load)

    def _load(self, links: Sequence[str], load: Callable[[Sequence[str]], None]) -> None:
        """Load files together; where that fails, one by one, to find the one that it fails for."""
        import duckdb

        connection = self._warehouse.connection
        connection.execute("BEGIN")
        try:
            load(links)
        except (duckdb.Error, DocumentError) as error:
            connection.execute("ROLLBACK")
            if len(links) == 1:
                self._skip(links[0], error)
                return
            for link in links:
                self._load([link], load)
        else:
            connection.execute("COMMIT")

    def _load_runs_of(self, links: Sequence[str]) -> None:
        connection = self._warehouse.connection
        others = ", ".join(("file_row_number", "filename", *(table for table in LISTS if table != "removals")))
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE read AS SELECT * EXCLUDE ({others}), {_RUN} AS run, filename AS link "
            f"FROM {_files(links)}"
        )
        if self._warehouse.rows("SELECT DISTINCT schema FROM read") != [(SCHEMA,)]:
            raise DocumentError("has rows of another dockersweep")
        connection.execute(
            "INSERT INTO loaded.runs BY NAME SELECT read.* EXCLUDE (schema, link, removals), path AS file "
            "FROM read JOIN (SELECT unnest(?) AS link, unnest(?) AS path) USING (link)",
            [list(links), [self._path_of[link] for link in links]],
        )
        connection.execute(
            "INSERT INTO loaded.removals BY NAME SELECT run, unnest(rows, max_depth := 2) FROM "
            f"(SELECT run, removals::{list_type(TABLES['removals'])} AS rows FROM read)"
        )

    def _insert_list(self, table: str, links: Sequence[str], which: str) -> None:
        type_ = list_type(TABLES[table])
        self._warehouse.connection.execute(
            f"INSERT INTO loaded.{table} BY NAME SELECT run, unnest(rows, max_depth := 2) FROM "
            f"(SELECT {_RUN} AS run, {table}::{type_} AS rows FROM {_files(links)}) WHERE run IN ({which})"
        )

    def _skip(self, link: str, error: Exception) -> None:
        path = self._path_of[link]
        why = self._whose(link) or f"cannot be read as Parquet: {in_one_sentence(error).replace(link, path)}"
        self.skipped.append(SkippedFile(file=path, why=f"{path} {why}"))

    def _whose(self, link: str) -> str | None:
        """Return what a file is that has no rows of this version; None for one that is damaged."""
        import duckdb

        try:
            [(count,)] = self._warehouse.rows(
                f"SELECT count(*) FROM parquet_schema({_list([link])}) WHERE name = 'schema'"
            )
            rows = self._warehouse.rows(f"SELECT DISTINCT schema FROM {_files([link])}") if count else [("",)]
        except duckdb.Error:
            return None
        if not all(str(schema).startswith("dockersweep.rows/") for (schema,) in rows):
            return "is Parquet, but not of dockersweep"
        return None if rows == [(SCHEMA,)] else "has rows of a later dockersweep: update dockersweep"


def _files(links: Sequence[str]) -> str:
    return f"read_parquet({_list(links)}, union_by_name = true, filename = true, file_row_number = true)"


def _list(links: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, links))}]"


def _quoted(path: str) -> str:
    """Return a path as a literal in SQL, for where no parameter may stand."""
    return "'" + path.replace("'", "''") + "'"
