"""Documents as Parquet: a row a document, with the rows of the other tables as lists in it.

Its column `schema` says so in each row, so that whatever joins files keeps it.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from dockersweep.errors import DocumentError, OutputError
from dockersweep.files import what_is_wrong
from dockersweep.model.fleet_report import SkippedFile
from dockersweep.warehouse.columns import list_type
from dockersweep.warehouse.database import Warehouse, in_one_sentence, private_folder, require_duckdb
from dockersweep.warehouse.row_files import RowFiles
from dockersweep.warehouse.rows import TABLES, Rows

SCHEMA = "dockersweep.rows/1"
LISTS = tuple(table for table in TABLES if table != "runs")


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


def load_parquet(warehouse: Warehouse, folder: str, paths: Sequence[str], first_run: int) -> list[SkippedFile]:
    """Load files that hold what `parquet_of` returns, or several of these joined; return those that could not be
    loaded. Runs are numbered from `first_run`; `folder` is the private one."""
    import duckdb

    # By this name each is read: in others a * or a [ would be a pattern.
    link = os.path.join(folder, "read.parquet")
    skipped = []
    for path in paths:
        os.symlink(os.path.abspath(path), link)
        warehouse.connection.execute("BEGIN")
        try:
            first_run += _load(warehouse, path, link, first_run)
        except (duckdb.Error, DocumentError) as error:
            warehouse.connection.execute("ROLLBACK")
            why = str(error) if isinstance(error, DocumentError) else _why(path, link, error)
            skipped.append(SkippedFile(file=path, why=why))
        else:
            warehouse.connection.execute("COMMIT")
        finally:
            os.unlink(link)
    return skipped


def _load(warehouse: Warehouse, path: str, link: str, first_run: int) -> int:
    """Load one file; return how many documents it has."""
    connection, file = warehouse.connection, _quoted(link)
    _check_schema(warehouse, path, file)
    lists = ", ".join(f"{table}::{list_type(TABLES[table])} AS {table}" for table in LISTS)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE read AS SELECT * EXCLUDE (schema) REPLACE ({lists}), {_quoted(path)} AS file, "
        f"{first_run} + row_number() OVER () - 1 AS run FROM read_parquet({file})"
    )
    connection.execute(f"INSERT INTO loaded.runs BY NAME SELECT * EXCLUDE ({', '.join(LISTS)}) FROM read")
    for table in LISTS:
        connection.execute(f"INSERT INTO loaded.{table} BY NAME SELECT run, unnest({table}, max_depth := 2) FROM read")
    [(count,)] = connection.execute("SELECT count(*) FROM read").fetchall()
    return int(count)


def _check_schema(warehouse: Warehouse, path: str, file: str) -> None:
    names = warehouse.rows(f"SELECT name FROM parquet_schema({file}) WHERE name = 'schema'")
    found = (
        {name for (name,) in warehouse.rows(f"SELECT DISTINCT schema FROM read_parquet({file})")} if names else set()
    )
    if not all(isinstance(name, str) and name.startswith("dockersweep.rows/") for name in found or {None}):
        raise DocumentError(f"{path} is Parquet, but not of dockersweep")
    if found != {SCHEMA}:
        raise DocumentError(f"{path} has rows of a later dockersweep: update dockersweep")


def _why(path: str, link: str, error: Exception) -> str:
    return f"{path} cannot be read as Parquet: {in_one_sentence(error).replace(link, path)}"


def _quoted(path: str) -> str:
    """Return a path as a literal in SQL, for where no parameter may stand."""
    return "'" + path.replace("'", "''") + "'"
