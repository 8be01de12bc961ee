"""Dialogs in front of the tree: a question, a text to read, a path to type."""

import os
from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from dockersweep.errors import DockersweepError
from dockersweep.report.text import printable

_YES_NO = "y yes   n no"
_FRAME = 4
"""Lines of a question's dialog around its text: the border, the keys and the line above them."""


class Question(ModalScreen[bool]):
    """A yes-no question: only `y` or `Y` means yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,Y", "answer(True)"),
        Binding("n,N,escape,enter,q", "answer(False)"),
    ]

    def __init__(self, text: str) -> None:
        """`text` is the question."""
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """Lay out the question."""
        with Vertical(classes="dialog"):
            with VerticalScroll(id="text"):
                yield Static(printable(self._text), markup=False)
            yield Static(_YES_NO, classes="keys", markup=False)

    def on_resize(self, event: events.Resize) -> None:
        """Let a question that is longer than the screen scroll, so that the keys below it stay in sight."""
        self.query_one("#text").styles.max_height = max(1, event.size.height - _FRAME)
        self.call_after_refresh(self._update_keys)

    def _update_keys(self) -> None:
        scrolls = self.query_one("#text").max_scroll_y > 0
        self.query_one(".keys", Static).update(f"{_YES_NO}   up/down scroll" if scrolls else _YES_NO)

    def action_answer(self, yes: bool) -> None:
        """Give the answer."""
        self.dismiss(yes)


class Reading(ModalScreen[None]):
    """A text of any length."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter,e,w", "close")]

    def __init__(self, text: str) -> None:
        """`text` must be printable, in lines that fit."""
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """Lay out the text."""
        with Vertical(classes="reading"):
            with VerticalScroll():
                yield Static(self._text, markup=False)
            yield Static("up/down scroll   q back", classes="keys", markup=False)

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)


class Typing(ModalScreen[str | None]):
    """Asks for a path, and runs an action with it; if that fails, shows the error and asks again."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave")]

    def __init__(self, prompt: str, path: str, do: Callable[[str], str]) -> None:
        """`path` is the initial text. `do` returns what it did; it may raise DockersweepError."""
        super().__init__()
        self._prompt = prompt
        self._path = path
        self._do = do

    def compose(self) -> ComposeResult:
        """Lay out the question and the line."""
        with Vertical(classes="dialog"):
            yield Static(printable(self._prompt), markup=False)
            yield Input(self._path, id="path")
            yield Static("", id="problem", markup=False)
            yield Static("enter ok   escape back", classes="keys", markup=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Clear the error of the former text."""
        event.stop()
        self.query_one("#problem", Static).update("")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Run the action."""
        event.stop()
        if not event.value:
            return
        try:
            # No shell has done it.
            done = self._do(os.path.expanduser(event.value))
        except DockersweepError as error:
            self.query_one("#problem", Static).update(printable(str(error)))
        else:
            self.dismiss(done)

    def action_leave(self) -> None:
        """Go back without running the action."""
        self.dismiss(None)
