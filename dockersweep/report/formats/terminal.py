"""Sections on a terminal: paragraphs, and tables that fit its width."""

from collections.abc import Iterable

from dockersweep.report.formats.table import render_table
from dockersweep.report.layout import Section
from dockersweep.report.text import INDENT, fold, fold_hanging, printable


def sections_text(sections: Iterable[Section], width: int | None) -> str:
    """Return the sections in at most `width` columns; None is no limit."""
    parts: list[str] = []
    for section in sections:
        if not section.is_empty and section.only in (None, "terminal"):
            parts += ["\n"] * bool(parts and not section.goes_on)
            parts.append(_text(section, width))
    return "".join(parts)


def _text(section: Section, width: int | None) -> str:
    return (
        (fold(section.title, width) if section.title else "")
        + "".join(
            fold(sentence, width, section.indent, shortens=not section.keeps_words) for sentence in section.sentences
        )
        + (_table(section, width) if section.rows else "")
        + "".join(fold_hanging(printable(item), width) for item in section.items)
        + "".join(f"{INDENT}{printable(line)}\n" for line in section.lines)
    )


def _table(section: Section, width: int | None) -> str:
    room = None if width is None else width - section.indent
    lines = render_table(section.columns, section.rows, room, section.header).splitlines(keepends=True)
    return "".join(f"{' ' * section.indent}{line}" for line in lines)
