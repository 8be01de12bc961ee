"""Lists in sentences."""

import re
from collections.abc import Iterable, Sequence

_DIGITS = re.compile(r"([0-9]+)")


def both(words: Iterable[str]) -> str:
    """Return the words joined by "and": "a, b and c"; empty for none."""
    return _listed(words, "and")


def either(words: Iterable[str]) -> str:
    """Return the words joined by "or": "a, b or c"; empty for none."""
    return _listed(words, "or")


def first_of(words: Sequence[str], most: int) -> str:
    """Return the first words and the number of others: "a, b and 3 more"."""
    more = len(words) - most
    return f"{', '.join(words[:most])}{f' and {more} more' if more > 0 else ''}"


def naturally(words: Iterable[str]) -> list[str]:
    """Return the words in natural order: "job-2" before "job-10"."""
    return sorted(words, key=natural_key)


def natural_key(word: str) -> tuple[list[tuple[int, str]], str]:
    """Return the key of natural order: numbers in words compare as numbers, of any length."""
    parts = (part.lstrip("0") if place % 2 else part.casefold() for place, part in enumerate(_DIGITS.split(word)))
    # Every second part is a number: of two numbers without leading zeros the longer one is larger.
    return [(len(part) if place % 2 else 0, part) for place, part in enumerate(parts)], word


def _listed(words: Iterable[str], link: str) -> str:
    *most, last = list(words) or [""]
    return f"{', '.join(most)} {link} {last}" if most else last
