"""The files that rows are written to: lines of JSON, a file for each table."""

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec
from msgspec import Struct

from dockersweep.warehouse.rows import TABLES, Rows

ROWS = ".ndjson"


class RowFiles:
    """The files of one process in a folder; those of other processes have other names."""

    def __init__(self, folder: str, name: str) -> None:
        """Nothing is created before the first row."""
        self._folder, self._name = Path(folder), name
        self._encoder = msgspec.json.Encoder()
        self._files: dict[str, BinaryIO] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Close the files at the end."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the files."""
        self._stack.close()

    def write(self, rows: Rows, tables: Collection[str] = TABLES.keys()) -> None:
        """Append the rows of a document that are of these tables."""
        for table in tables:
            of_table: Sequence[Struct] = getattr(rows, table)
            if of_table:
                self._file(table).write(self._encoder.encode_lines(of_table))

    def _file(self, table: str) -> BinaryIO:
        if table not in self._files:
            path = self._folder / f"{table}.{self._name}{ROWS}"
            self._files[table] = self._stack.enter_context(path.open("wb"))
        return self._files[table]
