"""Tables as a TOML text, for a file that nobody edits."""

import json
from collections.abc import Mapping
from datetime import date, time
from typing import Any


def written_toml(tables: Mapping[str, Any]) -> str:
    """Return the tables that tomllib reads as a text that it reads as the same: a line for each key at the top."""
    return "".join(f"{_text(key)} = {_value(value)}\n" for key, value in tables.items())


def _value(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return _text(value)
        case date() | time():
            return value.isoformat()
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case dict():
            return f"{{{', '.join(f'{_text(key)} = {_value(inner)}' for key, inner in value.items())}}}"
    return repr(value)


def _text(text: str) -> str:
    # JSON leaves one control character as it is that TOML does not allow.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
