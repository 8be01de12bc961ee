"""Reasons as cases expect them: a text that stands in one, or a table of what one carries."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any, Literal, cast, get_args

from msgspec import Struct, structs, to_builtins

from dockersweep.model.policycase import ReasonTable, Why
from dockersweep.model.reason import About, Reason
from dockersweep.words.reasons import reason_text, rule_and_text

OWN_KEYS = ("code", "rule", "tag", "text", "what")
"""The keys of every reason; all others are those of what a reason is about, whose name is `what`."""
_ABOUT: tuple[type[Struct], ...] = get_args(About)


def whys(written: Why | None) -> tuple[str | ReasonTable, ...]:
    """Return one, several or no expected reasons as several."""
    return tuple(written) if isinstance(written, list) else () if written is None else (written,)


@cache
def reason_keys() -> Mapping[str, tuple[Any, ...]]:
    """Return the keys that a table of a reason can have, each with the types of its values."""
    tags = cast("Any", Literal)[tuple(table.__struct_config__.tag for table in _ABOUT)]
    keys: dict[str, tuple[Any, ...]] = {"text": (str,), "what": (tags,)}
    tables: tuple[type[Struct], ...] = (Reason, *_ABOUT)
    for table in tables:
        for key, types in keys_of(table).items():
            if key != "about":
                keys[key] = (*keys.get(key, ()), *types)
    return keys


def keys_of(table: type[Struct]) -> Mapping[str, tuple[Any, ...]]:
    """Return the keys of a table, each with the type of its value."""
    return {field.encode_name: (field.type,) for field in structs.fields(table)}


def missing_reasons(expected: Sequence[str | ReasonTable], reasons: Sequence[Reason]) -> Iterator[str]:
    """Yield lines for each expected reason that none of an object's reasons is: what was expected, and what came out.

    After a table come the reasons as such tables, which can be copied into the case.
    """
    for why in expected:
        if isinstance(why, str):
            texts = [rule_and_text(reason) for reason in reasons]
            if not any(why in one for one in texts):
                yield f'expected "{why}" in the reasons, which are: {"; ".join(texts)}'
        elif not any(is_as_expected(reason, why) for reason in reasons):
            yield f"expected a reason with {_toml(why)}, the reasons are:"
            for reason in reasons:
                yield f"  {_toml(_carried(reason))}  # {reason_text(reason)}"


def is_as_expected(reason: Reason, expected: ReasonTable) -> bool:
    """Return whether a reason has each of the values that a table has; of `text` just a part."""
    return all(_has(reason, key, value) for key, value in expected.items())


def _has(reason: Reason, key: str, expected: Any) -> bool:
    match key:
        case "text":
            return str(expected) in reason_text(reason)
        case "what":
            return bool(reason.about.__struct_config__.tag == expected)
        case "code" | "rule" | "tag":
            return bool(getattr(reason, key) == expected)
    return _agrees(getattr(reason.about, key, None), expected)


def _agrees(actual: Any, expected: Any) -> bool:
    """Return whether a value is the expected one; of a table only the keys that are written count."""
    if isinstance(expected, dict):
        return actual is not None and all(_agrees(getattr(actual, key, None), one) for key, one in expected.items())
    if isinstance(expected, list):
        return isinstance(actual, tuple) and len(actual) == len(expected) and all(map(_agrees, actual, expected))
    return bool(actual == expected) and isinstance(actual, bool) == isinstance(expected, bool)


def _carried(reason: Reason) -> dict[str, Any]:
    """Return what a reason carries as a case can expect it; ids, which most cases make up, are left to the names."""
    carried: dict[str, Any] = to_builtins(reason, builtin_types=(date, datetime))
    about = _untagged(carried.pop("about"))
    what = reason.about.__struct_config__.tag
    return {
        key: value for key, value in (carried | {"what": what} | about).items() if key != "id" and value is not None
    }


def _untagged(value: Any) -> Any:
    """Return what a reason is about without the names of its types, which its keys tell."""
    if isinstance(value, dict):
        return {key: _untagged(one) for key, one in value.items() if key != "what"}
    return [_untagged(one) for one in value] if isinstance(value, list | tuple) else value


def _toml(value: Any) -> str:
    """Return a value as TOML has it in one line."""
    match value:
        case dict():
            return f"{{ {', '.join(f'{key} = {_toml(one)}' for key, one in value.items())} }}"
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case date():
            return value.isoformat().replace("+00:00", "Z")
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
