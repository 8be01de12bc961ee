"""The disk report as one HTML file: nothing is loaded from anywhere, and it can be mailed, printed and kept."""

from importlib.util import find_spec

from dockersweep.errors import UsageError
from dockersweep.model.report import Report
from dockersweep.report.disk.extras import not_installed

_NEEDED = ("jinja2", "pygal", "squarify")


def html_report(report: Report) -> str:
    """Return the page, from "<!doctype html>" to its closing newline.

    Raises UsageError where the libraries of the extra are not installed.
    """
    missing = [library for library in _NEEDED if find_spec(library) is None]
    if missing:
        raise UsageError(not_installed("html", *missing))
    # It costs more to load than all else that a report needs.
    from dockersweep.report.disk.page.document import page

    return page(report)
