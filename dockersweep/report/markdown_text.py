"""Rows as a Markdown table, as GitHub and most others render it."""

import re
from collections.abc import Sequence

from dockersweep.report.text import printable

# What would end the cell, begin a tag or a character reference, be taken for markup, or make an address a link. A dot
# or a dash inside a word is none of these, so that names stay readable in the source.
_MARKUP = re.compile(r"[\\`*_\[\]<>&|~#$]|(?:(?<=http)|(?<=https)|(?<=ftp)):(?=//)|(?<=www)\.", re.IGNORECASE)
# Where Markdown is for a merge request, this tells somebody, or all of a project, that they are spoken of. A backslash
# does not keep it from that everywhere, and a comment shows nothing.
_MENTION = re.compile(r"(?<!\w)@(?=\w|\\_)")


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Return the table with a closing newline; `right` are the numbers of the columns whose cells stand at the right.

    Every cell is made printable here, and shows as it is written.
    """
    lines = [
        _line([markdown_escape(heading) for heading in headings]),
        _line(["---:" if index in right else "---" for index in range(len(headings))]),
        *(_line([markdown_escape(cell) for cell in row]) for row in rows),
    ]
    return "".join(lines)


def markdown_escape(text: str) -> str:
    """Return the text so that Markdown shows it as it is."""
    return _MENTION.sub("@<!-- -->", _MARKUP.sub(r"\\\g<0>", printable(text)))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"
