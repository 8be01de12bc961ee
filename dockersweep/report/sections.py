"""What is said to people, in sections: paragraphs and tables on a terminal, headings and tables in Markdown.

So what is said is written once, and each format only says how it looks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dockersweep.report.headline import fold, fold_hanging
from dockersweep.report.markdown_text import markdown_escape, markdown_table
from dockersweep.report.table import Column, render_table
from dockersweep.report.text import printable


@dataclass(frozen=True)
class Section:
    """Sentences, a table, and lists; each may be missing."""

    title: str | None = None
    sentences: Sequence[str] = ()
    columns: Sequence[Column] = ()
    rows: Sequence[Sequence[str]] = ()
    header: bool = True
    """Whether a terminal shows the headings too; Markdown has no table without them."""
    items: Sequence[str] = ()
    lines: Sequence[str] = ()
    """What is to be copied, like paths, and so is never folded."""
    goes_on: bool = False
    """Whether it stands right below the section before it on a terminal."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.title or self.sentences or self.rows or self.items or self.lines)


def sections_text(sections: Iterable[Section], width: int | None) -> str:
    """Return the sections in at most `width` columns; None leaves them as wide as they are."""
    parts: list[str] = []
    for section in sections:
        if not section.is_empty:
            parts += ["\n"] * bool(parts and not section.goes_on)
            parts.append(_text(section, width))
    return "".join(parts)


def sections_markdown(title: str, sections: Iterable[Section]) -> str:
    """Return the sections as Markdown, under a title."""
    parts = [f"# {markdown_escape(title)}\n"]
    for section in sections:
        parts += _markdown(section)
    return "\n".join(parts)


def _text(section: Section, width: int | None) -> str:
    sentences = [section.title, *section.sentences] if section.title else section.sentences
    return (
        "".join(fold(sentence, width) for sentence in sentences)
        + (render_table(section.columns, section.rows, width, section.header) if section.rows else "")
        + "".join(fold_hanging(item, width) for item in section.items)
        + "".join(f"  {printable(line)}\n" for line in section.lines)
    )


def _markdown(section: Section) -> list[str]:
    parts = [f"## {markdown_escape(section.title)}\n"] if section.title else []
    parts += [f"{markdown_escape(sentence)}\n" for sentence in section.sentences]
    if section.rows:
        headings = [column.heading for column in section.columns]
        right = [index for index, column in enumerate(section.columns) if column.right]
        parts.append(markdown_table(headings, section.rows, right))
    listed = "".join(f"- {markdown_escape(item)}\n" for item in (*section.items, *section.lines))
    return [*parts, listed] if listed else parts
