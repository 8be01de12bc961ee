"""A progress bar leaves nothing on the terminal, whoever drew it last."""

import io
import sys
import time
from collections.abc import Callable

import pytest

from dockersweep.commands import progress
from dockersweep.commands.progress import show_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def line(self) -> str:
        """What stands in the line of the cursor."""
        shown: list[str] = []
        for part in self.getvalue().split("\r"):
            shown[: len(part)] = part
        return "".join(shown).rstrip()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Terminal]:
    def begin() -> Terminal:
        # Only now: pytest puts its own in place before each test.
        stream = Terminal()
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    monkeypatch.setattr(progress, "TICK_SECONDS", 0.05)
    return begin


def test_a_bar_that_its_clock_has_drawn_is_cleared(terminal: Callable[[], Terminal]) -> None:
    shown = terminal()
    with show_progress("reading") as show:
        show(1, 2)
        time.sleep(1.3)
        assert "reading" in shown.line()
    assert shown.line() == ""


def test_a_bar_that_an_update_has_drawn_is_cleared(terminal: Callable[[], Terminal]) -> None:
    shown = terminal()
    with show_progress("reading") as show:
        show(1, 3)
        time.sleep(1.3)
        show(2, 3)
    assert "reading" in shown.getvalue()
    assert shown.line() == ""


def test_what_takes_no_second_draws_nothing(terminal: Callable[[], Terminal]) -> None:
    shown = terminal()
    with show_progress("reading") as show:
        show(1, 2)
        show(2, 2)
    assert shown.getvalue() == ""
