"""The disk report as a layout: sections for terminal and Markdown, and one row an object for spreadsheets."""

from collections.abc import Callable, Iterator
from operator import attrgetter

from msgspec.structs import replace

from dockersweep.model.report import Report, ReportedObject
from dockersweep.report.headline import engine_sentence, engine_words, warning_sentences
from dockersweep.report.layout import Cell, Layout, Section, rows_of, truth

_CELLS: dict[str, Callable[[ReportedObject], Cell]] = {
    "kind": attrgetter("kind"),
    "id": attrgetter("id"),
    "name": attrgetter("name"),
    "project": attrgetter("project"),
    "repository": attrgetter("repository"),
    "size_bytes": attrgetter("size_bytes"),
    "own_bytes": attrgetter("own_bytes"),
    "in_use": lambda item: truth(item.in_use),
    "goes": lambda item: truth(item.goes),
    "age_seconds": attrgetter("age_seconds"),
    "age_source": attrgetter("age_source"),
    "why": attrgetter("why"),
}


def disk_layout(report: Report, width: int | None, with_bars: bool) -> Layout:
    """Return the layout of a report; `with_bars` draws bars, in at most `width` columns."""
    title = f"Disk report of {engine_words(report.engine)}"
    return Layout(title, _sections(report, width, with_bars), rows_of(report.objects, _CELLS))


def _sections(report: Report, width: int | None, with_bars: bool) -> Iterator[Section]:
    # Imported late: spreadsheets do not need them.
    from dockersweep.report.disk.markdown import markdown_sections
    from dockersweep.report.disk.terminal import terminal_sections

    yield Section(sentences=(engine_sentence(report.engine, report.taken_at),))
    yield from (replace(section, only="terminal") for section in terminal_sections(report, width, with_bars))
    yield from (replace(section, only="markdown") for section in markdown_sections(report))
    yield Section(sentences=warning_sentences(report.warnings))
