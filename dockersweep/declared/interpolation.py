"""Variables in texts: `$NAME`, `${NAME:-default}` and the like, as compose and Dockerfiles have them.

Where a variable has no value, both put nothing in its place. Then only a part of a name is known: `UNKNOWN` stands
there, and `as_names` makes of it the name as compose writes it, and a pattern that takes any value.
"""

import re
from collections.abc import Callable, Mapping

UNKNOWN = "\ufdd0"
"""A character that no text has: Unicode gives it to nobody."""
DEEPEST = 20
LONGEST = 100_000
"""A text may become so long."""
LONGEST_SHOWN = 200

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")
_GLOB = re.compile(r"[*?\[\]]")


class TemplateError(Exception):
    """A text that is no template, or a variable that must have a value and has none. It does not quote the text, which
    may hold a secret."""


def interpolate(text: str, variables: Mapping[str, str], doubled: bool = True) -> str:
    """Return a text with the values of its variables; those of unset ones are `UNKNOWN`.

    A dollar that begins no variable stays. Where dollars may be `doubled`, `$$` is one that begins none. Raises
    TemplateError.
    """
    if "$" not in text:
        return text
    return _interpolate(text, variables, doubled, 0)


def as_names(text: str) -> tuple[str, str | None]:
    """Return a name with nothing in the place of what is not known, and the pattern of all that it may be."""
    if UNKNOWN not in text:
        return text, None
    parts = (_GLOB.sub("?", part) for part in text.split(UNKNOWN))
    return text.replace(UNKNOWN, ""), re.sub(r"\*+", "*", "*".join(parts))


def unknown_part(place: str, written: str, why: str = "has a variable without a value") -> str:
    """Return the note for a name, as it is written at a place, of which only a part is known."""
    shown = written if len(written) <= LONGEST_SHOWN else f"{written[:LONGEST_SHOWN]}..."
    return f'{place}: "{shown}" {why}: every name that fits is kept'


def known(text: str) -> str:
    """Return a text with nothing in the place of what is not known."""
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
    """Return where the brace closes, past those of variables inside."""
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
    operator = next((one for one in _OPERATORS if rest.startswith(one)), None)
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
