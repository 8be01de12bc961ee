"""Checks the keys and types of the tables of a file, of a policy or a fleet, and reports all problems at once."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from difflib import get_close_matches
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct, inspect

from dockersweep.errors import UsageError
from dockersweep.model.policy import without_secrets
from dockersweep.policy.language.problems import KeyProblem, label, quoted, written_number
from dockersweep.policy.language.schedules import parse_schedule
from dockersweep.policy.language.toml_positions import Path
from dockersweep.policy.names.patterns import compile_pairs, compile_pattern, is_regular_expression
from dockersweep.units import parse_age, parse_percent, parse_size
from dockersweep.words.lists import either

T = TypeVar("T")
LARGEST_NUMBER = 2**63 - 1


class FileFormat(Struct, frozen=True, kw_only=True):
    """Which tables a file has, and what is said of problems that only such a file can have."""

    type: type[Struct]
    """The table at the top."""
    several: str
    """The key of the tables that each begin with [[KEY]], and the word for one of them: "rule"."""
    missing: Mapping[str, str]
    """Required key -> what to write."""
    correction: Callable[[object, Path], str]
    """Returns what to write in place of a value of the wrong type, to follow the problem; an empty text if that is not
    known."""
    secret: frozenset[str] = frozenset()
    """Keys at the top whose values no problem repeats."""


class _Option(NamedTuple):
    """One type that a value may have, and how a text of it is parsed."""

    type: inspect.Type
    reads: str | None = None


def key_problems(tables: Mapping[str, Any], file: FileFormat) -> list[KeyProblem]:
    """Return the problems of single keys and values, not those of their combination."""
    return list(_of_table(tables, _fields(file.type), (), file))


def problem_of_version(tables: Mapping[str, Any], version: int) -> KeyProblem | None:
    """Return the problem of a file of another version: only what knows that version can check the rest."""
    written = tables.get("version", version)
    if not isinstance(written, int) or isinstance(written, bool) or written == version:
        return None
    text = f"version is {written_number(written)}: this dockersweep reads version {version}"
    return KeyProblem(("version",), text, at="value")


def pruned(table: Mapping[str, Any], wrong: Sequence[Path]) -> dict[str, Any]:
    """Return a table without the wrong keys, in it and in its subtables."""
    kept = dict(table)
    for key, *rest in filter(None, wrong):
        inner = kept.get(str(key))
        if rest and isinstance(inner, dict):
            kept[str(key)] = pruned(inner, [tuple(rest)])
        else:
            kept.pop(str(key), None)
    return kept


@cache
def _fields(table: type) -> dict[str, inspect.Field]:
    known = inspect.type_info(table)
    assert isinstance(known, inspect.StructType)
    return {field.encode_name: field for field in known.fields}


def problems_of_keys(
    written: Mapping[str, Any],
    types: Mapping[str, T],
    path: Path,
    of_value: Callable[[object, T, Path], Iterator[KeyProblem]],
    unknown: Callable[[str, Collection[str], Path], str],
    several: str | None = None,
) -> Iterator[KeyProblem]:
    """Yield the problems of the keys of a table and their values; `types` has key -> type, `several` is as of
    `FileFormat`."""
    for key, value in written.items():
        if key in types:
            yield from of_value(value, types[key], (*path, key))
        else:
            yield KeyProblem((*path, key), unknown(key, types, path))
            if several is not None and not path and key == f"{several}s" and isinstance(value, list):
                # Report what is wrong below a misspelled [[rules]] at the same time.
                yield from of_value(value, types[several], (*path, key))


def _of_table(
    written: Mapping[str, Any], fields: Mapping[str, inspect.Field], path: Path, file: FileFormat
) -> Iterator[KeyProblem]:
    types = {key: field.type for key, field in fields.items()}
    of_value, unknown = partial(_of_value, file=file), partial(_unknown, file=file)
    yield from problems_of_keys(written, types, path, of_value, unknown, file.several)
    for key, field in fields.items():
        if field.required and key not in written:
            yield KeyProblem(path, file.missing[key])


def _of_value(value: object, wanted: inspect.Type, path: Path, file: FileFormat) -> Iterator[KeyProblem]:
    options = list(_options(wanted))
    for option in options:
        if _is_of(value, option.type):
            yield from _of_option(value, option, path, file)
            return
    subject = f"every value of {label(path)}" if isinstance(path[-1], int) else label(path)
    hint = _hint(value, options) or _meant(value, options, path, file)
    words = _wanted_words(options, file.several)
    written = _kind_of_text(value) if path[0] in file.secret else written_words(value)
    yield KeyProblem(path, f"{subject} must be {words}, not {written}{hint}", at="value")
    if isinstance(value, dict):
        # Report what is wrong in a single [rule] at the same time.
        for option in options:
            if isinstance(option.type, inspect.ListType):
                yield from _of_table(value, _inner(option.type.item_type), path, file)


def _options(wanted: inspect.Type, reads: str | None = None) -> Iterator[_Option]:
    if isinstance(wanted, inspect.Metadata):
        yield from _options(wanted.type, (wanted.extra or {}).get("reads", reads))
    elif isinstance(wanted, inspect.UnionType):
        for option in wanted.types:
            yield from _options(option, reads)
    elif not isinstance(wanted, inspect.NoneType):
        yield _Option(wanted, reads)


def _is_of(value: object, wanted: inspect.Type) -> bool:
    match wanted:
        case inspect.LiteralType():
            return isinstance(value, str | int) and not isinstance(value, bool) and value in wanted.values
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_NUMBER
        case inspect.DateType():
            return isinstance(value, date) and not isinstance(value, datetime)
        case inspect.ListType():
            return isinstance(value, list)
        case inspect.StructType():
            return isinstance(value, dict)
    return isinstance(value, str)


def _of_option(value: Any, option: _Option, path: Path, file: FileFormat) -> Iterator[KeyProblem]:
    match option.type:
        case inspect.StructType():
            yield from _of_table(value, {field.encode_name: field for field in option.type.fields}, path, file)
        case inspect.ListType():
            if option.type.min_length and not value:
                yield KeyProblem(
                    path, f"{label(path)} is an empty list: write at least one value, or leave the key out", at="value"
                )
            for index, item in enumerate(value):
                yield from _of_value(item, option.type.item_type, (*path, index), file)
        case inspect.IntType():
            if option.type.ge is not None and value < option.type.ge:
                least = "it cannot be negative" if option.type.ge == 0 else f"it must be at least {option.type.ge}"
                yield KeyProblem(path, f"{label(path)} is {value}: {least}", at="value")
        case inspect.StrType():
            objection = _objection(value, option)
            if objection is not None:
                if path[0] in file.secret:
                    objection = objection.replace(quoted(value), "it")
                yield KeyProblem(path, f"{label(path)}: {objection}", at="value")


def _objection(text: str, option: _Option) -> str | None:
    """Return what is wrong with a text, None if it is valid."""
    if option.reads is None:
        return None if text.strip() else "it is empty: write a text"
    try:
        _READERS[option.reads](text)
    except UsageError as error:
        return str(error)
    return None


def _read_space(text: str) -> None:
    if "%" in text:
        parse_percent(text)
        return
    try:
        parse_size(text)
    except UsageError:
        raise UsageError(f"{quoted(text)} is no amount of space: write a share like 85% or a size like 120GB") from None


def _read_pattern(text: str) -> None:
    if not text.strip("/ "):
        raise UsageError(f"the pattern {quoted(text)} is empty and matches nothing: write a name, or one like web-*")
    compile_pattern(text)


def _read_pair(text: str) -> None:
    key = text.partition("=")[0]
    if is_regular_expression(text) or is_regular_expression(key):
        raise UsageError(f"{quoted(text)}: a key may be a glob, like team.*, and only a VALUE a /regular expression/")
    if not key.strip("/ "):
        raise UsageError(f"{quoted(text)} has no key and matches nothing: write KEY or KEY=VALUE")
    compile_pairs((text,))


def _read_group(text: str) -> None:
    if text in ("repository", "project", "none") or (text.startswith("label:") and text.removeprefix("label:").strip()):
        return
    raise UsageError(f'{quoted(text)} is nothing to group by: write "repository", "project", "label:KEY" or "none"')


def _read_path(text: str) -> None:
    if not text.strip().startswith(("/", "~/")):
        raise UsageError(f"{quoted(text)} is not an absolute path: start it with / or ~/")


def _read_folder(text: str) -> None:
    if not text.startswith(("/", "~/")):
        raise UsageError(f"{quoted(text)} is not an absolute path: start it with / or ~/")
    if not text.isprintable():
        raise UsageError(f"{quoted(text)} has control characters: write it without them")


def _read_name(text: str) -> None:
    if not text.strip():
        raise UsageError("it is empty: write a text")
    if not text.isprintable():
        raise UsageError(f"{quoted(text)} has control characters: write it without them")


def _read_url(text: str) -> None:
    scheme, separator, rest = text.partition("://")
    # The text is not repeated: it may hold a password.
    if not (separator and rest.strip() and scheme.isascii() and scheme.isalnum()):
        raise UsageError("it is not an address of a service: write one like ntfys://topic, as apprise takes it")
    if not text.isprintable():
        raise UsageError("the address has control characters: write it without them")


def _read_wait(text: str) -> None:
    if parse_age(text).months:
        raise UsageError(f"{quoted(text)} is too long to wait: write seconds, minutes, hours or days")


def _read_timeout(text: str) -> None:
    _read_wait(text)
    if parse_age(text).is_zero:
        raise UsageError(f"{quoted(text)} is too short for any answer: write seconds or minutes, like 30s")


_READERS: dict[str, Callable[[str], object]] = {
    "age": parse_age,
    "size": parse_size,
    "percent": parse_percent,
    "space": _read_space,
    "pattern": _read_pattern,
    "pair": _read_pair,
    "group": _read_group,
    "path": _read_path,
    "folder": _read_folder,
    "name": _read_name,
    "url": _read_url,
    "wait": _read_wait,
    "timeout": _read_timeout,
    "schedule": parse_schedule,
}
_WANTED_TEXTS = {
    None: "a text",
    "age": 'an age like "24h" or "7d"',
    "size": 'a size like "20GB"',
    "percent": 'a share like "60%"',
    "space": 'a share like "85%" or a size like "120GB"',
    "pattern": 'a text like "web-*"',
    "pair": 'a text like "KEY" or "KEY=VALUE"',
    "group": '"repository", "project", "label:KEY" or "none"',
    "path": 'a path like "/srv/*/compose.yaml"',
    "folder": 'a path like "/srv/dockersweep"',
    "name": "a text",
    "url": 'an address like "ntfys://topic"',
    "wait": 'a duration like "30s" or "10m"',
    "timeout": 'a duration like "30s" or "10m"',
    "schedule": '"daily 04:00", "every 6h" or "never"',
}


def _wanted_words(options: Sequence[_Option], several: str) -> str:
    if len(options) == 2 and isinstance(options[1].type, inspect.ListType):
        return f"{_one_wanted(options[0], several)}, or a list of such"
    return either(word for option in options for word in _choices(option, several))


def _choices(option: _Option, several: str) -> list[str]:
    if isinstance(option.type, inspect.LiteralType):
        return [f'"{value}"' if isinstance(value, str) else str(value) for value in option.type.values]
    return [_one_wanted(option, several)]


def _one_wanted(option: _Option, several: str) -> str:
    match option.type:
        case inspect.LiteralType():
            return either(_choices(option, several))
        case inspect.ListType():
            items = list(_options(option.type.item_type))
            if isinstance(items[0].type, inspect.StructType):
                return f"tables that each begin with [[{several}]]"
            return "a list of texts" if items[0].reads == "name" else f"a list of {_wanted_words(items, several)}"
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "a whole number"
        case inspect.DateType():
            return "a date like 2026-01-01"
        case inspect.StructType():
            return "a table"
    return _WANTED_TEXTS[option.reads]


def written_words(value: object) -> str:
    """Return a value of a file in plain words: "the text "5"", "the number 5", "a list"."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {written_number(value)}"
        case str():
            return f"the text {quoted(value)}"
        case list():
            return "a list"
        case dict():
            return "a table"
        case datetime() | time():
            return f"the time {value.isoformat()}"
        case _:
            return f"the date {value}"


def _kind_of_text(value: object) -> str:
    """Return what a value is, as `written_words`, without repeating a text, which may hold a password."""
    return "a text" if isinstance(value, str) else written_words(value)


def _hint(value: object, options: Sequence[_Option]) -> str:
    """Return a suggestion, or an empty text."""
    if not isinstance(value, str):
        return ""
    words = [word for option in options for word in _words_of(option.type)]
    near = get_close_matches(value.lower(), words, n=1)
    if near:
        return f'; did you mean "{near[0]}"?'
    types = tuple(type(option.type) for option in options)
    is_number = value.strip().isdecimal() and bool({inspect.IntType, inspect.LiteralType} & set(types))
    is_truth = value in ("true", "false") and inspect.BoolType in types
    if is_number or is_truth or (inspect.DateType in types and _is_date(value)):
        return f"; write it without the quotes: {value.strip()}"
    return ""


def _meant(value: object, options: Sequence[_Option], path: Path, file: FileFormat) -> str:
    """Return a correction for a value without its key, unit or second brackets, or an empty text."""
    if path == (file.several,) and isinstance(value, dict):
        return f": write [[{file.several}]]"
    is_age = any(option.reads == "age" for option in options)
    is_short = any(option.reads in ("timeout", "wait") for option in options)
    if (is_age or is_short) and isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return f'; did you mean "{written_number(value)}{"d" if is_age else "s"}"?'
    return file.correction(value, path)


def _words_of(wanted: inspect.Type) -> list[str]:
    values = wanted.values if isinstance(wanted, inspect.LiteralType) else ()
    return [value for value in values if isinstance(value, str)]


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == len("2026-01-01")


def _unknown(key: str, fields: Collection[str], path: Path, file: FileFormat) -> str:
    """Return the text for a key that a table does not have, with a suggestion."""
    # An address of [notify] that stands alone is a key, and may hold a password.
    shown = without_secrets(key) if "://" in key else key
    problem = f"there is no key {quoted(shown)} {_place(path, file)}"
    near = get_close_matches(key.lower(), fields, n=1)
    meant = near[0] if near else _elsewhere(key, path, file)
    if meant is not None:
        return f'{problem}; did you mean "{meant}"?'
    return f"{problem}; there are {', '.join(fields)}"


def _place(path: Path, file: FileFormat) -> str:
    if not path:
        return "at the top"
    # [[rule]], a single [rule], and [[rules]].
    is_of_several = path == (file.several,) or (
        path[0] in (file.several, f"{file.several}s") and not isinstance(path[-1], str)
    )
    return f"in a {file.several}" if is_of_several else f"in {label(path)}"


def _elsewhere(key: str, path: Path, file: FileFormat) -> str | None:
    """Return the key of that name in another table: of the same rule, or of the file."""
    home = _fields(file.type)
    if path[:1] == (file.several,):
        several = next(_options(home[file.several].type)).type
        assert isinstance(several, inspect.ListType)
        home = _inner(several.item_type)
    for name, field in home.items():
        if key in _inner(field.type):
            return f"{name}.{key}"
    return key if key in home else None


def _inner(wanted: inspect.Type) -> dict[str, inspect.Field]:
    """Return the fields of a table, none where it is something else."""
    for option in _options(wanted):
        if isinstance(option.type, inspect.StructType):
            return {field.encode_name: field for field in option.type.fields}
    return {}
