"""How a manual page of a TOML file has to write the tables and keys of its types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import get_args

from msgspec import Struct, inspect

from dockersweep.model.inventory import KINDS, State
from dockersweep.model.policy import NotifyOn
from dockersweep.model.report import FindingId
from tests.rig.roff import Entry

# What language.key_checks reads a text with, and how the page calls such a value.
CALLED = {
    "pattern": "PATTERNS", "pair": "PAIRS", "age": "AGE", "size": "SIZE", "percent": "SHARE", "space": "SPACE",
    "group": "GROUP", "path": "PATHS", "folder": "FOLDER", "name": "TEXT", "timeout": "DURATION", "wait": "DURATION",
    "url": "URLS",
    "schedule": "SCHEDULE",
}  # fmt: skip


def fields_of(table: type[Struct]) -> Mapping[str, inspect.Field]:
    known = inspect.type_info(table)
    assert isinstance(known, inspect.StructType)
    return {field.encode_name: field for field in known.fields}


def options_of(wanted: inspect.Type, reads: str | None = None) -> Iterator[tuple[inspect.Type, str | None]]:
    """Yield the types that a value may have, but for none, each with how a text of it is read."""
    if isinstance(wanted, inspect.Metadata):
        yield from options_of(wanted.type, (wanted.extra or {}).get("reads", reads))
    elif isinstance(wanted, inspect.UnionType):
        for one in wanted.types:
            yield from options_of(one, reads)
    elif not isinstance(wanted, inspect.NoneType):
        yield wanted, reads


def inner_tables(wanted: inspect.Type) -> list[type[Struct]]:
    """Return the table that a key holds, by itself or in a list; nothing where it holds a value."""
    found = []
    for one, _ in options_of(wanted):
        if isinstance(one, inspect.StructType):
            found.append(one.cls)
        elif isinstance(one, inspect.ListType):
            found += inner_tables(one.item_type)
    return found


def tables_in(table: type[Struct]) -> set[type[Struct]]:
    """Return a table and all that stand in it."""
    inner = [one for field in fields_of(table).values() for one in inner_tables(field.type)]
    return {table}.union(*map(tables_in, inner))


def type_words(field: inspect.Field) -> str:
    """Return how the page has to write the value of a key."""
    options = list(options_of(field.type))
    lists = [one for one, _ in options if isinstance(one, inspect.ListType)]
    others = [(one, reads) for one, reads in options if not isinstance(one, inspect.ListType)]
    if not others:
        [item] = {one_type_words(*option, is_list=False) for option in options_of(lists[0].item_type)}
        return f"[{item}, ...]"
    words = [one_type_words(*option, is_list=bool(lists)) for option in others]
    # A number from 1 on or "all".
    return "|".join(words).replace('NUMBER|"all"', "COUNT").replace('"all"|NUMBER', "COUNT")


def one_type_words(wanted: inspect.Type, reads: str | None, is_list: bool) -> str:
    match wanted:
        case inspect.StructType():
            return "TABLE"
        case inspect.BoolType():
            return "BOOLEAN"
        case inspect.DateType():
            return "DATE"
        case inspect.IntType():
            return "NUMBERS" if is_list else "NUMBER"
        case inspect.StrType():
            return "TEXT" if reads is None else CALLED[reads]
        case inspect.LiteralType() if set(wanted.values) == set(KINDS):
            return "KINDS" if is_list else "KIND"
        case inspect.LiteralType() if set(wanted.values) == set(get_args(State)):
            return "STATES"
        case inspect.LiteralType() if set(wanted.values) == set(get_args(FindingId)):
            return "FINDINGS"
        case inspect.LiteralType() if set(wanted.values) == set(get_args(NotifyOn)):
            return "EVENTS"
        case inspect.LiteralType():
            return "|".join(f'"{one}"' if isinstance(one, str) else str(one) for one in sorted(wanted.values, key=str))
    raise AssertionError(f"no word for {wanted}")


def told(entry: Entry, label: str) -> str | None:
    """Return what a line of an entry like "Kinds: image." tells."""
    found = re.search(rf"^{label}: (.*)\.$", entry.text, re.MULTILINE)
    return found[1] if found else None
