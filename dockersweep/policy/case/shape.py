"""Whether the tables of a case have the keys and the types that a case has: all that is wrong at once."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from msgspec import Struct, ValidationError, convert, structs

from dockersweep.model.policycase import CaseFile, Moment
from dockersweep.policy.file.positions import Path
from dockersweep.policy.file.problems import Complaint, either, label, quoted
from dockersweep.policy.file.shape import written_words

OBJECT_KEYS = ("container", "image", "volume", "network", "build-cache")
_MISSING = {
    "shows": 'say what the case shows: write shows = "keeps the newest two of each repository"',
    "now": "say up to when ages are counted: write now = 2026-11-24T12:00:00Z",
}


def case_complaints(tables: Mapping[str, Any]) -> list[Complaint]:
    """Return what is wrong with the keys and the types of a case; its own policy is not looked at."""
    found = list(_of_table(tables, CaseFile, ()))
    if not found and not any(tables.get(key) for key in (*OBJECT_KEYS, "expect", "plan")):
        text = "the case expects nothing: write objects like [[image]] with their expect, or [plan]"
        found.append(Complaint((), text))
    return found


def _of_table(written: Mapping[str, Any], table: type[Struct], path: Path) -> Iterator[Complaint]:
    fields = {field.encode_name: field for field in structs.fields(table)}
    for key, value in written.items():
        if key in fields:
            yield from _of_value(value, fields[key].type, (*path, key))
        else:
            yield Complaint((*path, key), _unknown(key, fields, path))
    for key, field in fields.items():
        if field.required and key not in written:
            place = f" in {label(path)}" if path else ""
            yield Complaint(path, f"{key} is missing{place}" if key not in _MISSING or path else _MISSING[key])
    if len(path) == 2 and path[0] in OBJECT_KEYS and "expect" not in written:
        yield Complaint(path, f'say what is expected of this {path[0]}: write expect = "keep" or expect = "remove"')


def _of_value(value: object, wanted: Any, path: Path) -> Iterator[Complaint]:
    table, are_several = _table_in(wanted)
    if table is not None and not are_several and isinstance(value, dict):
        yield from _of_table(value, table, path)
    elif table is not None and are_several and isinstance(value, list) and all(isinstance(one, dict) for one in value):
        for index, item in enumerate(value):
            yield from _of_table(item, table, (*path, index))
    elif table is not None and are_several:
        yield Complaint(path, f"there can be several of {label(path)}: begin each with [[{label(path)}]]")
    else:
        try:
            convert(value, wanted, dec_hook=take_moment)
        except ValidationError as error:
            yield Complaint(
                path, f"{label(path)} cannot be {written_words(value)}{_hint(value, wanted, error)}", at="value"
            )


def _hint(value: object, wanted: Any, error: ValidationError) -> str:
    """Return what can stand there instead."""
    words = list(_words_in(wanted))
    if isinstance(value, str) and words:
        near = get_close_matches(value.lower(), words, n=1)
        return f'; did you mean "{near[0]}"?' if near else f": write {either(map(quoted, words))}"
    told = str(error).partition(" - at")[0]
    return f": {told if 'write' in told else told.lower().replace('`', '')}"


def _words_in(wanted: Any) -> Iterator[str]:
    """Yield the words of which a value is one, where it is one of a few."""
    for one in get_args(wanted):
        if isinstance(one, str):
            yield one
        else:
            yield from _words_in(one)


def _table_in(wanted: Any) -> tuple[type[Struct] | None, bool]:
    """Return the table that a key holds, and whether it holds a list of such."""
    if isinstance(wanted, type) and issubclass(wanted, Struct):
        return wanted, False
    for one in get_args(wanted):
        table, _ = _table_in(one)
        if table is not None:
            return table, get_origin(wanted) is list
    return None, False


def _unknown(key: str, fields: Mapping[str, object], path: Path) -> str:
    problem = f"there is no key {quoted(key)} {f'in {label(path)}' if path else 'in a case'}"
    near = get_close_matches(key.lower(), fields, n=1)
    return f'{problem}; did you mean "{near[0]}"?' if near else f"{problem}; there are {', '.join(fields)}"


def take_moment(wanted: type, written: object) -> object:
    """Take a date as TOML has it, and every other time as text."""
    if wanted is Moment and isinstance(written, str):
        return Moment(written)
    if wanted is Moment and hasattr(written, "isoformat") and hasattr(written, "year"):
        return Moment(written.isoformat())
    raise ValueError('write an age like "3d", a date like 2026-01-31, or "unknown"')
