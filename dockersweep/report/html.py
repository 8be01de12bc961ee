"""The disk report as one HTML file: nothing is loaded from anywhere, and it can be mailed, printed and kept."""

from dockersweep.errors import UsageError
from dockersweep.model.report import Report

_NEEDED = ("jinja2", "pygal", "squarify")


def html_report(report: Report) -> str:
    """Return the page, from "<!doctype html>" to its closing newline.

    Raises UsageError where the libraries of the extra are not installed.
    """
    try:
        # They cost more to load than all else that a report needs.
        from dockersweep.report.page.document import page
    except ModuleNotFoundError as missing:
        if missing.name not in _NEEDED:
            raise
        raise UsageError(
            f"the html format needs {missing.name}, which is not installed: pip install 'dockersweep[html]'"
        ) from missing
    return page(report)
