"""The formats of layouts, a file each."""

from collections.abc import Callable

from msgspec.structs import replace

from dockersweep.report.layout import Layout, Section
from dockersweep.report.local_time import in_local_time


def formatted(layout: Layout, name: str, width: int | None) -> str:
    """Return a document in a format; `width` is the terminal's number of columns, None for no limit."""
    return _FORMATS[name](layout, width)


def _table(layout: Layout, width: int | None) -> str:
    from dockersweep.report.formats.terminal import sections_text

    return sections_text(map(_as_people_read, layout.sections), width)


def _markdown(layout: Layout, _: int | None) -> str:
    from dockersweep.report.formats.markdown import sections_markdown

    return sections_markdown(layout.title, map(_as_people_read, layout.sections))


def _as_people_read(section: Section) -> Section:
    """Return a section with local times; text that is meant for copying stays as it is."""
    if section.keeps_words:
        return section
    return replace(
        section,
        title=section.title and in_local_time(section.title),
        sentences=[in_local_time(sentence) for sentence in section.sentences],
        rows=[[in_local_time(cell) for cell in row] for row in section.rows],
        items=[in_local_time(item) for item in section.items],
    )


def _csv(layout: Layout, _: int | None) -> str:
    from dockersweep.report.formats.csv import csv_text

    return csv_text(layout.rows.headings, layout.rows.rows)


# Each format imports its libraries only when it is used.
_FORMATS: dict[str, Callable[[Layout, int | None], str]] = {"table": _table, "markdown": _markdown, "csv": _csv}
