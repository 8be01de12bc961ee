"""Lists and amounts in sentences."""

import pytest

from dockersweep.model.plan import Interval
from dockersweep.words.amounts import amount_words, format_interval, plural
from dockersweep.words.lists import both, either, first_of


@pytest.mark.parametrize(
    ("words", "sum_of", "choice", "short"),
    [
        ([], "", "", ""),
        (["a"], "a", "a", "a"),
        (["a", "b"], "a and b", "a or b", "a, b"),
        (["a", "b", "c"], "a, b and c", "a, b or c", "a, b and 1 more"),
        (["a", "b", "c", "d"], "a, b, c and d", "a, b, c or d", "a, b and 2 more"),
    ],
)
def test_lists(words: list[str], sum_of: str, choice: str, short: str) -> None:
    assert (both(iter(words)), either(words), first_of(words, 2)) == (sum_of, choice, short)


def test_counts() -> None:
    shown = [plural(count, "image") for count in (0, 1, 2, 9_999, 10_000)]
    assert shown == ["0 images", "1 image", "2 images", "9999 images", "10,000 images"]


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0, 0, "0 B"),
        (5, 5, "5 B"),
        (0, 5_000, "up to 5.00 kB"),
        (5, 5_000, "5 B to 5.00 kB"),
        (5, None, "at least 5 B"),
        (0, None, "unknown"),
    ],
)
def test_amounts(low: int, high: int | None, text: str) -> None:
    interval = Interval(low_bytes=low, high_bytes=high)
    assert format_interval(interval) == text
    assert amount_words(interval, "nobody knows") == text.replace("unknown", "nobody knows")
