"""The columns of tables in SQL, by the fields of their rows."""

from collections.abc import Mapping
from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from msgspec import Struct

_TYPE_OF: Mapping[type, str] = {
    int: "BIGINT", float: "DOUBLE", str: "VARCHAR", bool: "BOOLEAN", datetime: "TIMESTAMP",
}  # fmt: skip


def columns_of(row: type[Struct]) -> dict[str, str]:
    """Return column -> its type."""
    return {name: _sql_type(_bare(hint)) for name, hint in _hints(row).items()}


def declared_columns(row: type[Struct]) -> str:
    """Return the columns for CREATE TABLE: what is always known is NOT NULL, words are of those that there are, and
    what is counted is not negative."""
    return ", ".join(f"{name} {_sql_type(_bare(hint))}{_constraints(name, hint)}" for name, hint in _hints(row).items())


def list_type(row: type[Struct]) -> str:
    """Return the type of a list of such rows, without their run."""
    fields = ", ".join(f"{name} {type_}" for name, type_ in columns_of(row).items() if name != "run")
    return f"STRUCT({fields})[]"


def _hints(row: type[Struct]) -> dict[str, Any]:
    return get_type_hints(row, include_extras=True)


def _constraints(name: str, hint: Any) -> str:
    of_hint = _without_none(hint)
    constraints = "" if of_hint is not hint else " NOT NULL"
    if get_origin(of_hint) is Literal:
        words = ", ".join(f"'{word}'" for word in get_args(of_hint))
        constraints += f" CHECK ({name} IN ({words}))"
    if get_origin(of_hint) is Annotated:
        # Meta(ge=0) is the one that rows have.
        constraints += f" CHECK ({name} >= 0)"
    return constraints


def _bare(hint: Any) -> Any:
    """Return the type alone."""
    known = _without_none(hint)
    return get_args(known)[0] if get_origin(known) is Annotated else known


def _without_none(hint: Any) -> Any:
    if get_origin(hint) not in (Union, UnionType):
        return hint
    [other] = [argument for argument in get_args(hint) if argument is not NoneType]
    return other


def _sql_type(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "VARCHAR"
    return f"{_sql_type(get_args(hint)[0])}[]" if get_origin(hint) is tuple else _TYPE_OF[hint]
