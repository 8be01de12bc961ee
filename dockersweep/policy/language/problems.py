"""What is wrong with a policy file, and where: problems at a key, and the same at a line and column."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from dockersweep.policy.language.toml_positions import Path, Positions

LONGEST_QUOTE = 60


class Problem(Struct, frozen=True):
    """Something that is wrong with a policy file.

    `line` and `column` count characters from 1 on; both are None where it has no place. `text` is one line.
    """

    line: int | None
    column: int | None
    text: str

    def words(self) -> str:
        """Return place and text: "line 12, column 3: there is no key ..."."""
        return self.text if self.line is None else f"line {self.line}, column {self.column}: {self.text}"


class KeyProblem(Struct, frozen=True):
    """A problem before its place is looked up.

    `at` is whether the key or its value is wrong. `other` is a second place that the text is about: its line stands at
    the end.
    """

    path: Path
    text: str
    at: Literal["key", "value"] = "key"
    other: Path | None = None


def placed(problems: Iterable[KeyProblem], positions: Positions) -> tuple[Problem, ...]:
    """Return the problems of a TOML text in the order of their places, none of them twice."""
    unique = {_placed(problem, positions) for problem in problems}
    return tuple(sorted(unique, key=lambda problem: (problem.line or 0, problem.column or 0, problem.text)))


def _placed(problem: KeyProblem, positions: Positions) -> Problem:
    place = positions.of(problem.path, problem.at)
    text = problem.text
    if problem.other is not None:
        text = f"{text} (line {positions.of(problem.other).line})"
    return Problem(place.line, place.column, one_line(text))


def one_line(text: str) -> str:
    """Return a text with every character that does not show replaced by its code: what a file holds may be anything."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in text)


def quoted(text: str) -> str:
    """Return a text between quotes, cut where it is long."""
    return f'"{text}"' if len(text) <= LONGEST_QUOTE else f'"{text[:LONGEST_QUOTE]}..."'


def label(path: Path) -> str:
    """Return how the text of a problem calls a key: "protect.names", "match.labels"."""
    is_of_rule = path[:1] in (("rule",), ("rules",)) and len(path) > 2
    return ".".join(part for part in path[is_of_rule:] if isinstance(part, str))


def written_number(number: float) -> str:
    """Return a number as it may stand in a sentence, cut where somebody wrote hundreds of digits."""
    # Python refuses to write out in decimal what a file can have in hexadecimal.
    text = hex(number) if isinstance(number, int) and number.bit_length() > 10_000 else str(number)
    return text if len(text) <= 25 else f"{text[:25]}..."
