"""The tree on the screen: only visible lines are painted."""

from collections.abc import Callable, Mapping
from typing import Protocol

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from dockersweep.commands.review.lines import Line, Lines
from dockersweep.commands.review.painting import Painter

_PLAIN, _CURSOR, _KEPT = Style(), Style(reverse=True), Style(dim=True)
_MARKS = 1
"""Columns at the left for the ">" of the cursor's line: not every terminal shows it in reverse."""
_LEFT = 1
"""The mouse button."""
_FAR = 1_000_000_000
_BOX = range(_MARKS, _MARKS + 3)


class TreeHandler(Protocol):
    """Handles the tree's events. The tree calls it directly: a message could arrive after the next key."""

    def tick(self, line: Line) -> None:
        """Tick or untick the objects of a line."""

    def moved(self) -> None:
        """The cursor is on another line, or its branch was opened or closed."""

    def filtered(self, query: str) -> None:
        """The filter has changed."""


class PlanTree(ScrollView, can_focus=True):
    """The plan as a tree with a cursor. It gets all keys in order, unless a dialog is open."""

    def __init__(
        self, lines: Lines, painter: Painter, handler: TreeHandler, others: Mapping[str, Callable[[], None]]
    ) -> None:
        """The cursor begins at the first line; `others` are the actions of further keys."""
        super().__init__()
        self._lines = lines
        self._painter = painter
        self._handler = handler
        self._cursor = 0
        self.filter_text: str | None = None
        """The filter's text, also while it is being typed; None for no filter."""
        self.is_typing = False
        """Whether the filter's text is being typed."""
        self._keys: Mapping[str, Callable[[], None]] = {
            **others,
            "up": lambda: self.move(-1),
            "down": lambda: self.move(1),
            "pageup": lambda: self.move(-self._page),
            "pagedown": lambda: self.move(self._page),
            "home": lambda: self.move(-_FAR),
            "end": lambda: self.move(_FAR),
            "right": lambda: self.open(True),
            "left": lambda: self.open(False),
            "space": self._tick,
            "slash": self._begin_to_type,
            "escape": lambda: self._filter(None),
        }

    def on_key(self, event: events.Key) -> None:
        """Run the action of a key."""
        if self.is_typing and self._type(event):
            event.stop()
        elif event.key in self._keys:
            event.stop()
            self._keys[event.key]()

    def on_paste(self, event: events.Paste) -> None:
        """Add a pasted name or id to the filter's text; elsewhere ignore it, as its letters are no keys."""
        event.stop()
        if self.is_typing:
            text = "".join(character for character in event.text if character.isprintable())
            self._filter((self.filter_text or "") + text)

    def _type(self, event: events.Key) -> bool:
        """Apply a key to the filter's text; return whether it was for the text."""
        query = self.filter_text or ""
        if event.key == "enter":
            self.is_typing = False
            self._filter(query or None)
        elif event.key == "backspace":
            self._filter(query[:-1])
        elif event.is_printable and event.character:
            self._filter(query + event.character)
        else:
            return False
        return True

    def _begin_to_type(self) -> None:
        self.is_typing = True
        self._filter(self.filter_text or "")

    def _filter(self, query: str | None) -> None:
        self.is_typing = self.is_typing and query is not None
        self.filter_text = query
        line = self.line
        self._lines.filter(query or "")
        self.arranged(line)
        self._handler.filtered(query or "")

    @property
    def line(self) -> Line | None:
        """The cursor's line; None if there are no lines."""
        lines = self._lines.lines
        return lines[self._cursor] if self._cursor < len(lines) else None

    def on_mount(self) -> None:
        """Set the number of lines."""
        self.arranged()

    def on_resize(self) -> None:
        """Paint in the new width, and keep the cursor visible."""
        self.arranged()

    def arranged(self, line: Line | None = None) -> None:
        """Show the changed lines; the cursor goes to `line` or, without one, stays if possible."""
        lines = self._lines.lines
        if line is not None and line in lines:
            self._cursor = lines.index(line)
        self._cursor = max(0, min(self._cursor, len(lines) - 1))
        self.virtual_size = Size(self.scrollable_content_region.width, len(lines))
        self._show_cursor()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return the visible line `y`, counted from the top."""
        width, place = self.scrollable_content_region.width, y + self.scroll_offset.y
        if place >= len(self._lines.lines):
            return Strip.blank(width)
        line = self._lines.lines[place]
        is_here = place == self._cursor
        text = f"{'>' if is_here else ' '}{self._painter.line(line, max(0, width - _MARKS))}"
        style = _CURSOR if is_here else _KEPT if line.branch.is_kept else _PLAIN
        return Strip([Segment(text, style)]).adjust_cell_length(width, style)

    @property
    def _page(self) -> int:
        return max(1, self.size.height - 1)

    def move(self, lines: int) -> None:
        """Move the cursor down by `lines`."""
        self._cursor += lines
        self.arranged()
        self._handler.moved()

    def open(self, is_open: bool) -> None:
        """Open or close the cursor's branch. Closing an object or a closed branch goes to the branch above."""
        line = self.line
        if line is None:
            return
        if line.leaf is None and self._lines.is_open(line.branch) != is_open:
            self._lines.open(line.branch, is_open)
            self.arranged(line)
            self._handler.moved()
        elif not is_open:
            above = (place for place in range(self._cursor, -1, -1) if self._lines.lines[place].depth < line.depth)
            self.move(next(above, self._cursor) - self._cursor)

    def _tick(self) -> None:
        if self.line is not None:
            self._handler.tick(self.line)

    def on_click(self, event: events.Click) -> None:
        """Go to the line; on its box also tick it, and on a branch open or close it. The middle button pastes."""
        if event.button != _LEFT:
            return
        place = event.y + self.scroll_offset.y
        if place >= len(self._lines.lines):
            return
        self.move(place - self._cursor)
        line = self._lines.lines[place]
        if event.x in _BOX:
            self._tick()
        elif line.leaf is None:
            self.open(not self._lines.is_open(line.branch))

    def _show_cursor(self) -> None:
        self.scroll_to_region(Region(0, self._cursor, 1, 1), animate=False, force=True)
