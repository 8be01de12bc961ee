"""Sections in Markdown, as GitHub and most others render it."""

import re
from collections.abc import Iterable, Sequence

from dockersweep.report.layout import Section
from dockersweep.report.text import printable

# What would end the cell, begin a tag or a character reference, count as markup, or turn an address into a link. Dots
# and dashes inside words do none of this and stay, so that names are readable in the source.
_MARKUP = re.compile(r"[\\`*_\[\]<>&|~#$]|(?:(?<=http)|(?<=https)|(?<=ftp)):(?=//)|(?<=www)\.", re.IGNORECASE)
# In a merge request a mention would notify a person, or a whole project. A backslash does not prevent that everywhere;
# an (invisible) comment does.
_MENTION = re.compile(r"(?<!\w)@(?=\w|\\_)")


def sections_markdown(title: str | None, sections: Iterable[Section]) -> str:
    """Return the sections, under the title if there is one."""
    parts = [f"# {markdown_escape(title)}\n"] if title else []
    for section in sections:
        if section.only in (None, "markdown"):
            parts += _section(section)
    return "\n".join(parts)


def _section(section: Section) -> list[str]:
    parts = [f"## {markdown_escape(section.title)}\n"] if section.title else []
    if section.is_list:
        parts += _list(section.sentences)
    else:
        parts += [f"{markdown_escape(sentence)}\n" for sentence in section.sentences]
    if section.rows or section.shows_no_rows:
        headings = [column.heading for column in section.columns]
        right = [index for index, column in enumerate(section.columns) if column.right]
        parts.append(_table(headings, section.rows, right))
    return [*parts, *_list((*section.items, *section.lines))]


def _list(items: Sequence[str]) -> list[str]:
    return ["".join(f"- {markdown_escape(item)}\n" for item in items)] if items else []


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Return the table; `right` are the indices of right-aligned columns."""
    lines = [
        _line([markdown_escape(heading) for heading in headings]),
        _line(["---:" if index in right else "---" for index in range(len(headings))]),
        *(_line([markdown_escape(cell) for cell in row]) for row in rows),
    ]
    return "".join(lines)


def markdown_escape(text: str) -> str:
    """Return the text escaped, so that Markdown shows it literally."""
    return _MENTION.sub("@<!-- -->", _MARKUP.sub(r"\\\g<0>", printable(text)))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"
