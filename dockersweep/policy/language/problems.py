"""The problems of a policy or a fleet file and their places: at a key, then at a line and column."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from dockersweep.policy.language.toml_positions import Path, Positions

LONGEST_QUOTE = 60


class Problem(Struct, frozen=True):
    """A problem of a file.

    `line` and `column` start at 1, in characters; both are None where it has no place. `text` is one line.
    """

    line: int | None
    column: int | None
    text: str

    def words(self) -> str:
        """Return place and text: "line 12, column 3: there is no key ..."."""
        return self.text if self.line is None else f"line {self.line}, column {self.column}: {self.text}"

    def in_file(self, path: str) -> str:
        """Return place and text as compilers write them, which editors follow: "ci.toml:12:3: there is no key ..."."""
        place = ":".join(str(part) for part in (path, self.line, self.column) if part is not None)
        return f"{place}: {self.text}"


class KeyProblem(Struct, frozen=True):
    """A problem before its place is looked up.

    `at` says whether the key or its value is wrong. `other` is a second place: its line is added to the text.
    """

    path: Path
    text: str
    at: Literal["key", "value"] = "key"
    other: Path | None = None


def placed(problems: Iterable[KeyProblem], positions: Positions) -> tuple[Problem, ...]:
    """Return the problems of a TOML text in the order of their places, without duplicates."""
    unique = {_placed(problem, positions) for problem in problems}
    return tuple(sorted(unique, key=lambda problem: (problem.line or 0, problem.column or 0, problem.text)))


def _placed(problem: KeyProblem, positions: Positions) -> Problem:
    place = positions.of(problem.path, problem.at)
    text = problem.text
    if problem.other is not None:
        text = f"{text} (line {positions.of(problem.other).line})"
    return Problem(place.line, place.column, one_line(text))


def one_line(text: str) -> str:
    """Return a text with every unprintable character replaced by its code: the file is not trusted."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in text)


def quoted(text: str) -> str:
    """Return a text between quotes, cut if it is long."""
    return f'"{text}"' if len(text) <= LONGEST_QUOTE else f'"{text[:LONGEST_QUOTE]}..."'


def label(path: Path) -> str:
    """Return the name of a key in the text of a problem: "protect.names", "match.labels"."""
    is_inside = path[:1] in (("rule",), ("rules",), ("host",), ("hosts",)) and len(path) > 2
    return ".".join(part for part in path[is_inside:] if isinstance(part, str))


def written_number(number: float) -> str:
    """Return a number for a sentence, cut if it has many digits."""
    # Python refuses to convert huge numbers to decimal, and a file can have them in hexadecimal.
    text = hex(number) if isinstance(number, int) and number.bit_length() > 10_000 else str(number)
    return text if len(text) <= 25 else f"{text[:25]}..."
