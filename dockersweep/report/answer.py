"""What a query found, for every format."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from dockersweep.errors import UsageError
from dockersweep.report.layout import Cell, Column, Layout, Rows, Section, truth
from dockersweep.report.local_time import local_time
from dockersweep.units import format_instant


def answer_layout(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Layout:
    """Return the layout of the rows: on a terminal with local times, for spreadsheets with those in UTC."""
    numeric = [_is_numeric(row[place] for row in rows) for place in range(len(columns))]
    headings = [Column(name, right=right, shortens=not right) for name, right in zip(columns, numeric, strict=True)]
    shown = [[_shown(value) for value in row] for row in rows]
    return Layout(
        None,
        [Section(columns=headings, rows=shown, shows_no_rows=True)] if rows else [Section(sentences=("No rows.",))],
        Rows(columns, ([_cell(value) for value in row] for row in rows)),
    )


def answer_json(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return an array with an object for each row. Raises UsageError where two columns have the same name."""
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise UsageError(f"two columns are called {twice[0]}: name one of them anew, with AS")
    objects = [dict(zip(columns, map(_of_json, row), strict=True)) for row in rows]
    return json.dumps(objects, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _is_numeric(values: Iterator[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)


def _shown(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        return local_time(value if value.tzinfo else value.replace(tzinfo=UTC))
    return _text(value)


def _cell(value: Any) -> Cell:
    return value if value is None or (isinstance(value, int | float) and not isinstance(value, bool)) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return truth(value)
    if isinstance(value, datetime):
        return format_instant(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, list | tuple | dict):
        return json.dumps(_of_json(value), ensure_ascii=False)
    return str(value)


def _of_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _of_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_of_json(inner) for inner in value]
    if isinstance(value, float):
        return value if value - value == 0 else None
    return value if value is None or isinstance(value, bool | int | str) else _text(value)
