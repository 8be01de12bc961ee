"""What a list says of an end, against the function that says it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockersweep.engine.api.status_text import Ended, read_ended
from tests.rig.examples import examples

YEAR = 365 * 86_400


def human_duration(seconds: float) -> str:
    """HumanDuration of duration.go in docker/go-units, line by line."""
    whole, minutes, hours = int(seconds), int(seconds / 60), int(seconds / 3600 + 0.5)
    if whole < 60:
        return "Less than a second" if whole < 1 else "1 second" if whole == 1 else f"{whole} seconds"
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    if hours < 24 * 7 * 2:
        return f"{hours // 24} days"
    if hours < 24 * 30 * 2:
        return f"{hours // 24 // 7} weeks"
    return f"{hours // 24 // 30} months" if hours < 24 * 365 * 2 else f"{int(seconds / 3600) // 24 // 365} years"


@given(st.one_of(st.floats(0, 5000), st.floats(0, 3 * 86_400), st.floats(0, 90 * 86_400), st.floats(0, 9 * YEAR)))
@examples(400)
def test_how_long_ago_it_was_lies_between_what_is_read(seconds: float) -> None:
    ended = read_ended(f"Exited (137) {human_duration(seconds)} ago")
    assert ended is not None
    assert ended.exit_code == 137
    assert ended.least_seconds <= seconds < ended.most_seconds
    # The coarsest: months, from two on.
    assert ended.most_seconds - ended.least_seconds <= max(1, seconds)


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        ("Exited (0) Less than a second ago", Ended(0, 0, 1)),
        ("Exited (-1) About an hour ago", Ended(-1, 3600, 5400)),
        ("Exited (3) 3 weeks ago", Ended(3, 3 * 168 * 3600 - 1800, 4 * 168 * 3600 - 1800)),
    ],
)
def test_some_words(status: str, ended: Ended) -> None:
    assert read_ended(status) == ended


@pytest.mark.parametrize(
    "status",
    ["", "Created", "Dead", "Up 3 hours", "Removal In Progress", "Restarting (1) 2 seconds ago", "Exited (0) ago",
     "Exited (0) 3 fortnights ago", "Exited (0) 3 weeks", " Exited (0) 3 weeks ago"],
)  # fmt: skip
def test_what_tells_of_no_end(status: str) -> None:
    assert read_ended(status) is None
