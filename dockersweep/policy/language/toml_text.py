"""From bytes to the tables of a TOML text, or to a syntax error in plain words."""

import re
import tomllib
from collections.abc import Sequence
from typing import Any, NamedTuple

from dockersweep.policy.language.problems import Problem, one_line

BOM = b"\xef\xbb\xbf"
_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)
# Constant message of tomllib -> what to do about it.
_PLAIN_WORDS = {
    "Invalid value": 'expected a value: a text in "quotes", a number, true, false, a date or a [list]',
    "Expected newline or end of document after a statement": (
        'the line must end here: a text stands in "quotes", and each key begins a line'
    ),
    "Expected '=' after a key in a key/value pair": "expected `=` and a value after the key",
    "Invalid statement": "a line must be KEY = VALUE, a [table] or a # comment",
    "Cannot overwrite a value": "this key has a value already, or is a table: it can be written only once",
    "Unclosed array": "a list is not closed: expected a comma between its values and ] after the last",
    "Unclosed inline table": "a table is not closed: expected a comma between its keys and } after the last",
    "Unterminated string": "a text is not closed: its quotes are missing at the end",
    'Expected "\'"': "a text is not closed: its quotes are missing at the end",
    "Expected \"'''\"": "a text is not closed: its quotes are missing at the end",
    "Illegal character '\\n'": "a text is not closed: its quotes are missing at the end of the line",
    "Found invalid character '\\n'": "a text is not closed: its quotes are missing at the end of the line",
    "Invalid date or datetime": "there is no such date in the calendar",
    "Invalid initial character for a key part": (
        'expected a key: letters, digits, _ and -, anything else in "quotes"; no comma after the last one'
    ),
    "Unescaped '\\' in a string": "a \\ in a text must be written \\\\, or the text stand in 'single quotes'",
    "Expected ']' at the end of a table declaration": "the name of a table must end with ]",
    "Expected ']]' at the end of an array declaration": "the name of a table in a list must end with ]]",
}


class TomlText(NamedTuple):
    """A valid TOML text, and its tables."""

    text: str
    tables: dict[str, Any]


def read_toml(data: bytes) -> TomlText | Problem:
    """Read a TOML file, or return its first problem. Ignores a UTF-8 byte order mark, as Windows writes it."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Problem(1, 1, "this is UTF-16 text: save the file as UTF-8")
    data = data.removeprefix(BOM)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        line, column = _end_of(before)
        return Problem(line, column, f"the byte 0x{data[error.start]:02x} is not UTF-8: save the file as UTF-8")
    try:
        return TomlText(text, tomllib.loads(text))
    except RecursionError:
        return Problem(None, None, "lists or tables are nested too deep to be read")
    except ValueError as error:
        return _problem(str(error), text)


def _problem(message: str, text: str) -> Problem:
    placed = _PLACE.fullmatch(message)
    if placed is None:
        # A number with thousands of digits: Python refuses it, and tomllib adds no place.
        return Problem(None, None, "a number has more digits than can be read")
    line, column = (int(placed[2]), int(placed[3])) if placed[2] else _end_of(text)
    if placed[1] == "Cannot overwrite a value" or "twice" in placed[1]:
        # tomllib reports the end of the value; people look for the key.
        written = text.split("\n")[line - 1]
        column = len(written) - len(written.lstrip()) + 1
        if "://" in written:
            # Within a list of addresses, which may hold passwords.
            return Problem(line, column, _PLAIN_WORDS["Cannot overwrite a value"])
        if written.lstrip().startswith("[") and "twice" not in placed[1]:
            text = f"{written.strip()} is there already as something else: [x] is one table, [[x]] one of several"
            return Problem(line, column, one_line(text))
        if placed[1] == "Cannot overwrite a value":
            return Problem(line, column, one_line(_written_twice(text.split("\n"), line)))
    return Problem(line, column, one_line(_in_plain_words(placed[1])))


def _written_twice(lines: Sequence[str], number: int) -> str:
    """Return a message with the key that a line sets again, and its first line, if the text shows that."""
    key = _key_of(lines[number - 1])
    for earlier in range(number - 1, 0, -1):
        if lines[earlier - 1].lstrip().startswith("["):
            break
        if key and _key_of(lines[earlier - 1]) == key:
            return f"{key} has a value already (line {earlier}): it can be written only once"
    return _PLAIN_WORDS["Cannot overwrite a value"]


def _key_of(line: str) -> str:
    """Return the key at the start of a line; empty if it has none."""
    return "".join(line.partition("=")[0].split()) if "=" in line else ""


def _in_plain_words(message: str) -> str:
    if "twice" in message:
        names = re.findall(r"'((?:[^'\\]|\\.)*)'", message)
        return f"the table [{'.'.join(names)}] is there already: it can be written only once"
    if message.startswith(("Duplicate inline table key", "Cannot mutate immutable namespace")):
        return _PLAIN_WORDS["Cannot overwrite a value"]
    return _PLAIN_WORDS.get(message, f"this is not TOML: {message}")


def _end_of(text: str) -> tuple[int, int]:
    """Return the line and column after the last character."""
    return text.count("\n") + 1, len(text) - text.rfind("\n")
