"""The images that a Dockerfile depends on: in FROM lines, and those it copies or mounts from."""

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from dockersweep.declared.interpolation import UNKNOWN, TemplateError, interpolate

MOST_LINES = 100_000
LONGEST_VALUE = 1000
"""No image name is longer, and each line may have one."""
_DIRECTIVE = re.compile(r"#\s*escape\s*=\s*(\S)", re.IGNORECASE)
_FROM = re.compile(r"FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_ARGUMENT = re.compile(r"ARG\s+(.+)", re.IGNORECASE)
_DEFAULT = re.compile(r"([A-Za-z_]\w*)(?:(=)(?:\"([^\"]*)\"|'([^']*)'|(\S*)))?")
_COPY = re.compile(r"(?:COPY|ADD)\s+(?:--\S+\s+)*?--from=(\S+)", re.IGNORECASE)
_RUN = re.compile(r"RUN\s+(.*)", re.IGNORECASE | re.DOTALL)
_MOUNTED = re.compile(r"--mount=(\S+)")
_NO_IMAGE = "scratch"


class BaseImage(NamedTuple):
    """An image that a Dockerfile names."""

    name: str
    """With `interpolation.UNKNOWN` for each variable without a value."""
    line: int
    written: str
    """The name as it stands in the Dockerfile."""


def images_of_dockerfile(text: str, arguments: Mapping[str, str]) -> Iterator[BaseImage]:
    """Yield the images that a Dockerfile names; `arguments` are its build arguments. Invalid lines are skipped: a build
    would fail there."""
    stages: set[str] = set()
    # Arguments before the first FROM count in all FROM lines, and only there.
    variables: dict[str, str] = {}
    is_before = True
    for line, instruction in _instructions(text):
        if is_before and (argument := _ARGUMENT.match(instruction)):
            variables |= _defaults(argument[1], variables, arguments)
        elif base := _FROM.match(instruction):
            is_before = False
            written = base[1].strip("\"'")
            name = _valued(written, variables)
            if name.lower() not in stages and name.lower() != _NO_IMAGE:
                yield BaseImage(name, line, written)
            if base[2]:
                stages.add(base[2].lower())
        else:
            for name in _taken_from(instruction):
                if name.lower() not in stages and not name.isdecimal() and name.lower() != _NO_IMAGE:
                    yield BaseImage(_valued(name, variables), line, name)


def _taken_from(instruction: str) -> Iterator[str]:
    if copied := _COPY.match(instruction):
        yield copied[1].strip("\"'")
    elif run := _RUN.match(instruction):
        for mount in _MOUNTED.findall(run[1]):
            for option in mount.split(","):
                key, _, value = option.partition("=")
                if key == "from":
                    yield value.strip("\"'")


def _defaults(text: str, variables: dict[str, str], arguments: Mapping[str, str]) -> dict[str, str]:
    defaults: dict[str, str] = {}
    for name, equals, *values in _DEFAULT.findall(text):
        if name in arguments:
            defaults[name] = arguments[name]
        elif equals:
            defaults[name] = _valued("".join(values), ChainMap(defaults, variables))
    return defaults


def _valued(text: str, variables: Mapping[str, str]) -> str:
    try:
        value = interpolate(text, variables, doubled=False)
        return value if len(value) <= LONGEST_VALUE else UNKNOWN
    except TemplateError:
        return re.sub(r"\$\{[^}]*\}?|\$\w*", UNKNOWN, text)


def _instructions(text: str) -> Iterator[tuple[int, str]]:
    """Yield each instruction on one line, and the number of its first line."""
    escape = "\\"
    pending, begin, is_head = "", 0, True
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines()[:MOST_LINES], 1):
        line = raw.strip()
        if is_head and (directive := _DIRECTIVE.match(line)):
            escape = directive[1]
        is_head = is_head and line.startswith("#")
        if not line or line.startswith("#"):
            continue
        begin = begin or number
        if line.endswith(escape):
            pending += line[:-1].rstrip() + " "
            continue
        yield begin, pending + line
        pending, begin = "", 0
    if pending:
        yield begin, pending.strip()
