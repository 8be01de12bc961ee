"""Checks the keys and types of the tables of a case, and reports all problems at once."""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from msgspec import Struct, ValidationError, convert, structs

from dockersweep.model.policycase import CaseFile, Moment
from dockersweep.policy.language.key_checks import problems_of_keys, written_words
from dockersweep.policy.language.problems import KeyProblem, label, quoted
from dockersweep.policy.language.toml_positions import Path
from dockersweep.policy.testing.reasons import OWN_KEYS, keys_of, reason_keys
from dockersweep.words.lists import either

OBJECT_KEYS = ("container", "image", "volume", "network", "build-cache")
_WHY = 'write a text that stands in a reason, or what it carries, like { code = "kept", rule = "releases" }'
_MISSING = {
    "shows": 'say what the case shows: write shows = "keeps the newest two of each repository"',
    "now": "say up to when ages are counted: write now = 2026-11-24T12:00:00Z",
}


def case_problems(tables: Mapping[str, Any]) -> list[KeyProblem]:
    """Return the problems in the keys and types of a case, except those of its own policy."""
    problems = list(_of_table(tables, CaseFile, ()))
    if not problems and not any(tables.get(key) for key in (*OBJECT_KEYS, "expect", "plan")):
        text = "the case expects nothing: write objects like [[image]] with their expect, or [plan]"
        problems.append(KeyProblem((), text))
    return problems


def _of_table(written: Mapping[str, Any], table: type[Struct], path: Path) -> Iterator[KeyProblem]:
    fields = {field.encode_name: field for field in structs.fields(table)}
    types = {key: field.type for key, field in fields.items()}
    yield from problems_of_keys(written, types, path, _of_value, _unknown)
    for key, field in fields.items():
        if field.required and key not in written:
            place = f" in {label(path)}" if path else ""
            yield KeyProblem(path, f"{key} is missing{place}" if key not in _MISSING or path else _MISSING[key])
    if len(path) == 2 and path[0] in OBJECT_KEYS and "expect" not in written:
        yield KeyProblem(path, f'say what is expected of this {path[0]}: write expect = "keep" or expect = "remove"')


def _of_value(value: object, wanted: Any, path: Path) -> Iterator[KeyProblem]:
    table, forms = _table_in(wanted), _forms_of_table(wanted)
    if path[-1] == "why":
        yield from _of_why(value, path)
    elif table is not None and dict in forms and isinstance(value, dict):
        yield from _of_table(value, table, path)
    elif (
        table is not None
        and list in forms
        and isinstance(value, list)
        and all(isinstance(entry, dict) for entry in value)
    ):
        for index, item in enumerate(value):
            yield from _of_table(item, table, (*path, index))
    elif table is not None and dict not in forms:
        yield KeyProblem(path, f"there can be several of {label(path)}: begin each with [[{label(path)}]]")
    else:
        yield from _of_plain(value, wanted, path)


def _of_plain(value: object, wanted: Any, path: Path) -> Iterator[KeyProblem]:
    try:
        convert(value, wanted, dec_hook=take_moment)
    except ValidationError as error:
        yield KeyProblem(
            path, f"{label(path)} cannot be {written_words(value)}{_hint(value, wanted, error)}", at="value"
        )


def _of_why(value: object, path: Path) -> Iterator[KeyProblem]:
    """Yield the problems of expected reasons."""
    for index, reason in enumerate(value if isinstance(value, list) else [value]):
        place = (*path, index) if isinstance(value, list) else path
        if isinstance(reason, dict) and reason:
            yield from _of_reason(reason, reason_keys(), place)
        elif not isinstance(reason, str):
            text = f"{label(path)} cannot be {written_words(reason)}: {_WHY}"
            yield KeyProblem(place, text, at="value")


def _of_reason(written: Mapping[str, Any], keys: Mapping[str, tuple[Any, ...]], path: Path) -> Iterator[KeyProblem]:
    """Yield the problems of a table in which any key may be missing."""
    for key, value in written.items():
        place = (*path, key)
        if key not in keys:
            yield KeyProblem(place, _unknown_of_reason(key, keys, path))
            continue
        inner = next((table for table in map(_table_in, keys[key]) if table is not None), None)
        if inner is not None and isinstance(value, dict):
            yield from _of_reason(value, keys_of(inner), place)
        elif inner is not None and isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
            for index, item in enumerate(value):
                yield from _of_reason(item, keys_of(inner), (*place, index))
        else:
            problems = [list(_of_plain(value, wanted, place)) for wanted in keys[key]]
            yield from min(problems, key=len)


def _unknown_of_reason(key: str, keys: Mapping[str, object], path: Path) -> str:
    problem = f"there is no key {quoted(key)} in {label(path)}"
    near = get_close_matches(key.lower(), keys, n=1)
    if near:
        return f'{problem}; did you mean "{near[0]}"?'
    if keys is reason_keys():
        return f"{problem}; there are {', '.join(OWN_KEYS)} and what `plan --format json` has in the about of reasons"
    return f"{problem}; there are {', '.join(keys)}"


def _hint(value: object, wanted: Any, error: ValidationError) -> str:
    """Return a phrase with what to write instead."""
    words = list(_words_in(wanted))
    if isinstance(value, str) and words:
        near = get_close_matches(value.lower(), words, n=1)
        return f'; did you mean "{near[0]}"?' if near else f": write {either(map(quoted, words))}"
    text = str(error).partition(" - at")[0]
    return f": {text if 'write' in text else text.lower().replace('`', '')}"


def _words_in(wanted: Any) -> Iterator[str]:
    """Yield the words of a Literal type, for a value that is one of a few."""
    for arg in get_args(wanted):
        if isinstance(arg, str):
            yield arg
        else:
            yield from _words_in(arg)


def _table_in(wanted: Any) -> type[Struct] | None:
    """Return the type of the table or tables that a key holds; None where it holds none."""
    if isinstance(wanted, type) and issubclass(wanted, Struct):
        return wanted
    return next((table for table in map(_table_in, get_args(wanted)) if table is not None), None)


def _forms_of_table(wanted: Any) -> set[type]:
    """Return whether there may be one such table (dict), several (list) or either."""
    if isinstance(wanted, type) and issubclass(wanted, Struct):
        return {dict}
    if get_origin(wanted) is list:
        return {list}
    return {form for arg in get_args(wanted) for form in _forms_of_table(arg)}


def _unknown(key: str, fields: Collection[str], path: Path) -> str:
    problem = f"there is no key {quoted(key)} {f'in {label(path)}' if path else 'in a case'}"
    near = get_close_matches(key.lower(), fields, n=1)
    return f'{problem}; did you mean "{near[0]}"?' if near else f"{problem}; there are {', '.join(fields)}"


def take_moment(wanted: type, written: object) -> object:
    """Convert a TOML date or a text to a Moment."""
    if wanted is Moment and isinstance(written, str):
        return Moment(written)
    if wanted is Moment and hasattr(written, "isoformat") and hasattr(written, "year"):
        return Moment(written.isoformat())
    raise ValueError('write an age like "3d", a date like 2026-01-31, or "unknown"')
