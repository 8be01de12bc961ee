"""Renders manual pages as text, for machines without man."""

import re
from collections.abc import Callable
from textwrap import wrap

_ESCAPES = {
    r"\-": "-", r"\~": "\u00a0", r"\|": "", r"\&": "", r"\e": "\\",
    r"\(aq": "'", r"\(ti": "~", r"\(ha": "^", r"\(bu": "*", r"\(dq": '"', r"\(lq": '"', r"\(rq": '"',
}  # fmt: skip
"""All roff escapes that the pages use within text."""
_FONTS = ("B", "I", "BR", "BI", "IR", "RB")
_STEP = 7
"""The indentation of a paragraph below its heading, and of a body behind its tag, in columns."""
_HEADING, _SUBHEADING = 0, 3


def page_text(source: str, width: int) -> str:
    """Return a page written in man(7) macros as lines of at most `width` columns; longer examples and words stay whole.

    Supports only the macros that our pages use; raises KeyError for others.
    """
    page = _Page(width)
    for line in source.splitlines():
        if not line.startswith("."):
            page.text(_plain(line))
        elif not line.startswith('.\\"'):
            macro, *arguments = (quoted or bare for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', line[1:]))
            if macro in _FONTS:
                page.text(_plain(("" if len(macro) == 2 else " ").join(arguments)))
            else:
                _MACROS[macro](page, [_plain(argument) for argument in arguments])
    page.flush()
    return "\n".join(page.lines).replace("\u00a0", " ") + "\n"


def _plain(text: str) -> str:
    without_fonts = re.sub(r"\\f[BIRP]", "", text)
    return re.sub(r"\\(?:\(..|.)", lambda escape: _ESCAPES[escape[0]], without_fonts)


class _Page:
    """The lines so far, and the paragraph that is being read."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.lines: list[str] = []
        self._words: list[str] = []
        self._left = self._indent = _STEP
        """The columns where paragraphs begin, and where their text begins."""
        self._outer: list[int] = []
        self._tag = ""
        self._is_tag_next = False
        self._is_filled = True

    def text(self, line: str) -> None:
        """Add a line of text: to the paragraph, as its tag, or literally."""
        if self._is_tag_next:
            self._tag, self._is_tag_next = line, False
        elif self._is_filled:
            self._words.append(line)
        else:
            self.lines.append(f"{' ' * self._indent}{line}".rstrip())

    def flush(self) -> None:
        """End the line that is being filled."""
        if not self._words and not self._tag:
            return
        *tags, tag = [" " * self._left + line for line in self._wrapped(self._tag, self._left)] or [""]
        body = " " * self._indent
        filled = self._wrapped(" ".join(self._words), self._indent)
        self.lines += tags
        if self._tag and (len(tag) >= self._indent or not filled):
            self.lines.append(tag)
        elif self._tag:
            self.lines.append(tag.ljust(self._indent) + filled.pop(0))
        self.lines += [body + line for line in filled]
        self._words, self._tag = [], ""

    def _wrapped(self, text: str, indent: int) -> list[str]:
        return wrap(text, max(20, self.width - indent), break_long_words=False, break_on_hyphens=False)

    def paragraph(self, indent: int, tag: str = "") -> None:
        """Begin a paragraph after an empty line, its text `indent` columns to the right of its tag."""
        self.flush()
        self._gap()
        self._indent, self._tag = self._left + indent, tag

    def tagged(self) -> None:
        """Begin a paragraph whose tag is the next line."""
        self.paragraph(_STEP)
        self._is_tag_next = True

    def heading(self, title: str, indent: int) -> None:
        """Begin a section."""
        self.flush()
        self._gap()
        self.lines.append(" " * indent + title)
        self._outer = []
        self._left = self._indent = _STEP

    def synopsis(self, command: str) -> None:
        """Begin the synopsis of a command, with its arguments to the right of its name."""
        self.paragraph(len(command) + 1, command)

    def literal(self, is_literal: bool) -> None:
        """Begin or end literal lines."""
        self.flush()
        self._is_filled = not is_literal

    def inwards(self, columns: int) -> None:
        """Move all that follows to the right."""
        self.flush()
        self._outer.append(self._left)
        self._left = self._indent = self._left + columns

    def outwards(self) -> None:
        """Move back what follows."""
        self.flush()
        self._left = self._outer.pop()
        self._indent = self._left + _STEP

    def _gap(self) -> None:
        """Add an empty line, unless the last line is a heading or empty."""
        last = self.lines[-1]
        if last and (last.startswith(" " * _STEP) or len(self.lines) == 1):
            self.lines.append("")


def _indented(page: _Page, arguments: list[str]) -> None:
    tag, width = (*arguments, "")[:1], arguments[1:]
    page.paragraph(int(width[0]) if width else _STEP, *tag)


_MACROS: dict[str, Callable[[_Page, list[str]], None]] = {
    "TH": lambda page, arguments: page.lines.append(f"{arguments[0]}({arguments[1]})"),
    "SH": lambda page, arguments: page.heading(" ".join(arguments), _HEADING),
    "SS": lambda page, arguments: page.heading(" ".join(arguments), _SUBHEADING),
    "PP": lambda page, arguments: page.paragraph(0),
    "TP": lambda page, arguments: page.tagged(),
    "IP": _indented,
    "RS": lambda page, arguments: page.inwards(int(arguments[0]) if arguments else _STEP),
    "RE": lambda page, arguments: page.outwards(),
    "EX": lambda page, arguments: page.literal(True),
    "EE": lambda page, arguments: page.literal(False),
    "nf": lambda page, arguments: page.literal(True),
    "fi": lambda page, arguments: page.literal(False),
    "br": lambda page, arguments: page.flush(),
    "SY": lambda page, arguments: page.synopsis(arguments[0]),
    "YS": lambda page, arguments: page.flush(),
    "nr": lambda page, arguments: None,
    "ad": lambda page, arguments: None,
}
