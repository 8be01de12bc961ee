"""`.env` files, as compose reads them: values may be quoted, span lines, and use earlier variables."""

import re
from collections.abc import Mapping

from dockersweep.declared.faults import fault
from dockersweep.declared.followed import Followed
from dockersweep.declared.interpolation import TemplateError, interpolate, known

_KEY = re.compile(r"(?:export[ \t]+)?([A-Za-z0-9_.\[\]-]+)[ \t]*(?:[=:][ \t]*|(?=\r?\n|$))")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "a": "\a", "b": "\b", '"': '"', "\\": "\\"}
_COMMENT = re.compile(r"(?:^|\s)#.*")


def read_dotenv(path: str, outside: Mapping[str, str], followed: Followed) -> dict[str, str]:
    """Return the variables of a file; in its interpolations those `outside` win. Raises DeclaredFileError."""
    try:
        text = followed.read(path).decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise fault(path, None, "not UTF-8") from None
    values: dict[str, str] = {}
    variables = dict(outside)
    at = 0
    while at < len(text):
        if text[at] in " \t\n":
            at += 1
            continue
        end = _end_of_line(text, at)
        if text[at] == "#":
            at = end
            continue
        key = _KEY.match(text, at)
        if key is None:
            # The line may hold a secret: the error does not quote it.
            raise fault(path, text.count("\n", 0, at) + 1, "expected KEY=VALUE")
        if "=" not in key[0] and ":" not in key[0]:
            # A bare name takes its value from the environment.
            values.update({key[1]: outside[key[1]]} if key[1] in outside else {})
            at = end
            continue
        try:
            value, after = _value(text, key.end(), variables)
        except TemplateError as error:
            raise fault(path, text.count("\n", 0, at) + 1, str(error)) from None
        followed.count(path, len(value))
        at = after
        values[key[1]] = value
        variables[key[1]] = outside.get(key[1], value)
    return values


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _value(text: str, at: int, variables: Mapping[str, str]) -> tuple[str, int]:
    """Return a value, and the index after it."""
    quote = text[at : at + 1]
    if quote in ("'", '"') and quote:
        close = at + 1
        while close < len(text) and text[close] != quote:
            close += 2 if text[close] == "\\" else 1
        if close >= len(text):
            raise TemplateError("a quote is not closed")
        inside = text[at + 1 : close]
        if quote == "'":
            return inside.replace("\\'", "'"), _end_of_line(text, close)
        unescaped = _ESCAPED.sub(_unescape, inside)
        return known(interpolate(unescaped, variables)), _end_of_line(text, close)
    end = _end_of_line(text, at)
    return known(interpolate(_COMMENT.sub("", text[at:end]).strip(), variables)), end


def _unescape(match: re.Match[str]) -> str:
    # An escaped dollar begins no variable: it is doubled for the interpolation that comes next.
    return "$$" if match[1] == "$" else _ESCAPES.get(match[1], match[0])
