"""The formats that every laid-out document can be written in, a file each."""

from collections.abc import Callable

from dockersweep.report.layout import Layout


def formatted(layout: Layout, name: str, width: int | None) -> str:
    """Return a document in a format; `width` is how many columns a terminal has, None for as wide as it is."""
    return _FORMATS[name](layout, width)


def _table(layout: Layout, width: int | None) -> str:
    from dockersweep.report.formats.terminal import sections_text

    return sections_text(layout.sections, width)


def _markdown(layout: Layout, _: int | None) -> str:
    from dockersweep.report.formats.markdown import sections_markdown

    return sections_markdown(layout.title, layout.sections)


def _csv(layout: Layout, _: int | None) -> str:
    from dockersweep.report.formats.csv import csv_text

    return csv_text(layout.rows.headings, layout.rows.rows)


# A format costs its libraries only where it is asked for.
_FORMATS: dict[str, Callable[[Layout, int | None], str]] = {"table": _table, "markdown": _markdown, "csv": _csv}
