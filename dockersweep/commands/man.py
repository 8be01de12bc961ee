"""`dockersweep man`: a page of the manual, shown by man(1) if it is installed."""

import _signal  # type: ignore[import-not-found]
import os
import sys

from dockersweep.commands.installation import installed_files, package_folder
from dockersweep.commands.options import ManOptions
from dockersweep.commands.write import terminal_width, write_result
from dockersweep.errors import UsageError
from dockersweep.files import is_plain_file

FILE_OF_PAGE = {
    "dockersweep": "dockersweep.1",
    "dockersweep.toml": "dockersweep.toml.5",
    "dockersweep-fleet.toml": "dockersweep-fleet.toml.5",
}
WIDTH = 80
"""Longer lines are hard to read."""


def run(options: ManOptions) -> int:
    """Show the page and return the exit status; on a terminal, man replaces this process if it is installed.

    Raises UsageError where the page is not installed.
    """
    path = _path_of(FILE_OF_PAGE[options.page])
    if not options.output.goes_to_file and sys.stdout.isatty():
        _become_man(path)
    from dockersweep.report.manual import page_text

    with open(path, encoding="utf-8") as file:
        source = file.read()
    width = min(WIDTH, terminal_width(options.output.path) or WIDTH)
    write_result(page_text(source, width), options.output.path)
    return 0


def _path_of(name: str) -> str:
    """Return the path of the page: in the checkout, or where the installation recorded it."""
    path = os.path.join(os.path.dirname(package_folder()), "man", name)
    if is_plain_file(path):
        return path
    installed = [path for path in installed_files(name) if is_plain_file(path)]
    if not installed:
        raise UsageError(
            f"the page {name} is not installed here; install dockersweep with pip, or try `man {name[:-2]}`"
        )
    return installed[0]


def _become_man(path: str) -> None:
    """Replace this process by man; return if it is not installed."""
    # Python ignores SIGPIPE, and programs that it starts would inherit that.
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    try:
        os.execvp("man", ["man", path])
    except OSError:
        _signal.signal(_signal.SIGPIPE, _signal.SIG_IGN)
