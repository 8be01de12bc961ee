"""Lists in sentences."""

from collections.abc import Iterable, Sequence


def both(words: Iterable[str]) -> str:
    """Return the words as a sum: "a, b and c"; empty where there are none."""
    return _listed(words, "and")


def either(words: Iterable[str]) -> str:
    """Return the words as a choice: "a, b or c"; empty where there are none."""
    return _listed(words, "or")


def first_of(words: Sequence[str], most: int) -> str:
    """Return at most so many words, and how many others there are: "a, b and 3 more"."""
    more = len(words) - most
    return f"{', '.join(words[:most])}{f' and {more} more' if more > 0 else ''}"


def _listed(words: Iterable[str], link: str) -> str:
    *most, last = list(words) or [""]
    return f"{', '.join(most)} {link} {last}" if most else last
