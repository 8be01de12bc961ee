"""Variables in texts: `$NAME`, `${NAME:-default}` and the like, as compose and Dockerfiles have them.

Both replace a variable without a value by nothing. Then only part of a name is known: `UNKNOWN` marks the gap, and
`as_names` returns the name as compose writes it, and a pattern that matches any value in its place.
"""

import re
from collections.abc import Callable, Mapping

UNKNOWN = "\ufdd0"
"""A character that no text contains: a Unicode noncharacter."""
DEEPEST = 20
LONGEST = 100_000
"""The most characters of a text after interpolation."""
LONGEST_SHOWN = 200

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")
_GLOB = re.compile(r"[*?\[\]]")


class TemplateError(Exception):
    """An invalid template, or a required variable without a value. It does not quote the text, which may hold a
    secret."""


def interpolate(text: str, variables: Mapping[str, str], doubled: bool = True) -> str:
    """Return a text with its variables replaced; unset ones become `UNKNOWN`.

    A dollar that begins no variable stays. With `doubled`, `$$` is an escaped dollar. Raises TemplateError.
    """
    if "$" not in text:
        return text
    return _interpolate(text, variables, doubled, 0)


def as_names(text: str) -> tuple[str, str | None]:
    """Return a name without its unknown parts, and the pattern of all that it may be (None if all of it is known)."""
    if UNKNOWN not in text:
        return text, None
    parts = (_GLOB.sub("?", part) for part in text.split(UNKNOWN))
    return text.replace(UNKNOWN, ""), re.sub(r"\*+", "*", "*".join(parts))


def unknown_part(place: str, written: str, why: str = "has a variable without a value") -> str:
    """Return the note for a name that is only partly known, quoting it as `written` at `place`."""
    shown = written if len(written) <= LONGEST_SHOWN else f"{written[:LONGEST_SHOWN]}..."
    return f'{place}: "{shown}" {why}: every name that fits is kept'


def known(text: str) -> str:
    """Return a text without its unknown parts."""
    return text.replace(UNKNOWN, "")


def _interpolate(text: str, variables: Mapping[str, str], doubled: bool, depth: int) -> str:
    if depth > DEEPEST:
        raise TemplateError(f"variables nested more than {DEEPEST} levels deep")
    done: list[str] = []
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        done.append(text[at:dollar])
        after = text[dollar + 1 : dollar + 2]
        if after == "{":
            end = _closing(text, dollar + 2)
            done.append(_braced(text[dollar + 2 : end], variables, doubled, depth))
            at = end + 1
        elif after == "$" and doubled:
            done.append("$")
            at = dollar + 2
        elif (name := _NAME.match(text, dollar + 1)) is not None:
            done.append(variables.get(name[0], UNKNOWN))
            at = name.end()
        else:
            done.append("$")
            at = dollar + 1
    whole = "".join((*done, text[at:]))
    if len(whole) > LONGEST:
        raise TemplateError(f"longer than {LONGEST} characters once variables are replaced")
    return whole


def _closing(text: str, begin: int) -> int:
    """Return the index of the closing brace, skipping nested variables."""
    depth, at = 1, begin
    while at < len(text):
        if text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
        elif text.startswith("${", at):
            depth += 1
            at += 1
        at += 1
    raise TemplateError("a ${ without a }")


def _braced(inside: str, variables: Mapping[str, str], doubled: bool, depth: int) -> str:
    name = _NAME.match(inside)
    if name is None:
        raise TemplateError("a ${} that names no variable")
    value, rest = variables.get(name[0]), inside[name.end() :]
    if not rest:
        return UNKNOWN if value is None else value
    operator = next((candidate for candidate in _OPERATORS if rest.startswith(candidate)), None)
    if operator is None:
        raise TemplateError(f"what follows {name[0]} in ${{}} is no default and no condition")
    is_set = bool(value) if operator.startswith(":") else value is not None
    meaning = _MEANINGS[operator[-1]]
    return meaning(
        name[0], value if is_set else None, lambda: _interpolate(rest[len(operator) :], variables, doubled, depth + 1)
    )


def _default(name: str, value: str | None, other: Callable[[], str]) -> str:
    return other() if value is None else value


def _required(name: str, value: str | None, other: Callable[[], str]) -> str:
    if value is None:
        raise TemplateError(f"the variable {name} has no value: {known(other()) or 'it is required'}")
    return value


def _replaced(name: str, value: str | None, other: Callable[[], str]) -> str:
    return "" if value is None else other()


_MEANINGS: Mapping[str, Callable[[str, str | None, Callable[[], str]], str]] = {
    "-": _default,
    "?": _required,
    "+": _replaced,
}
