"""Reasons as cases expect them: a part of the text, or a table of keys and values."""

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
"""The keys of every reason; all others belong to its `about`, whose type is `what`."""
_ABOUT: tuple[type[Struct], ...] = get_args(About)


def whys(written: Why | None) -> tuple[str | ReasonTable, ...]:
    """Return one expected reason, a list of them or None as a tuple."""
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
    """Yield lines for each expected reason that an object does not have: what was expected, and the actual reasons.

    Where a table was expected, the reasons are printed as tables too, to be copied into the case.
    """
    for why in expected:
        if isinstance(why, str):
            texts = [rule_and_text(reason) for reason in reasons]
            if not any(why in text for text in texts):
                yield f'expected "{why}" in the reasons, which are: {"; ".join(dict.fromkeys(texts))}'
        elif not any(is_as_expected(reason, why) for reason in reasons):
            yield f"expected a reason with {_toml(why)}, the reasons are:"
            for reason in reasons:
                yield f"  {_toml(_carried(reason))}  # {reason_text(reason)}"


def is_as_expected(reason: Reason, expected: ReasonTable) -> bool:
    """Return whether a reason has every value of a table; `text` only has to be a part of its text."""
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
    """Return whether a value is the expected one; of a table only the expected keys count."""
    if isinstance(expected, dict):
        return actual is not None and all(
            _agrees(getattr(actual, key, None), wanted) for key, wanted in expected.items()
        )
    if isinstance(expected, list):
        return isinstance(actual, tuple) and len(actual) == len(expected) and all(map(_agrees, actual, expected))
    return bool(actual == expected) and isinstance(actual, bool) == isinstance(expected, bool)


def _carried(reason: Reason) -> dict[str, Any]:
    """Return a reason as a table for a case, without ids: most cases have only made-up ones."""
    carried: dict[str, Any] = to_builtins(reason, builtin_types=(date, datetime))
    about = _untagged(carried.pop("about"))
    what = reason.about.__struct_config__.tag
    return {
        key: value for key, value in (carried | {"what": what} | about).items() if key != "id" and value is not None
    }


def _untagged(value: Any) -> Any:
    """Return a value of `about` without the type names of its tables: their keys say enough."""
    if isinstance(value, dict):
        return {key: _untagged(element) for key, element in value.items() if key != "what"}
    return [_untagged(element) for element in value] if isinstance(value, list | tuple) else value


def _toml(value: Any) -> str:
    """Return a value as one line of TOML."""
    match value:
        case dict():
            return f"{{ {', '.join(f'{key} = {_toml(element)}' for key, element in value.items())} }}"
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case date():
            return value.isoformat().replace("+00:00", "Z")
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
