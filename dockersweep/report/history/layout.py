"""The layout of the answer to a `history` command."""

from collections.abc import Iterator
from typing import Literal

from dockersweep.model.history import History
from dockersweep.report.history.object import object_sections
from dockersweep.report.history.rows import removal_rows, restoration_rows, run_rows
from dockersweep.report.history.run import run_sections
from dockersweep.report.history.runs import runs_sections
from dockersweep.report.layout import Column, Layout, Rows, Section

Asks = Literal["runs", "run", "object", "problems"]
"""What was asked for: all runs, one run, the past of an object, or problems of the file."""


def history_layout(history: History, asks: Asks) -> Layout:
    """Return the layout of what was asked for; for spreadsheets a row for each run, removal or problem."""
    if asks == "problems":
        problems = [(problem,) for problem in history.problems or ()]
        return Layout(None, _problem_sections(history), Rows(["problem"], problems))
    if asks == "runs":
        return Layout(None, runs_sections(history.runs), run_rows(history.runs))
    if asks == "object":
        return Layout(None, object_sections(history), removal_rows(history.removals))
    # A run removes, or makes again what others removed.
    rows = restoration_rows(history.restorations) if history.restorations else removal_rows(history.removals)
    return Layout(None, run_sections(history), rows)


def _problem_sections(history: History) -> Iterator[Section]:
    problems = history.problems or ()
    sentences = [f"{history.path}: {problem}" for problem in problems or ("nothing is wrong with it",)]
    yield Section(sentences=sentences, only="terminal")
    rows = [(problem,) for problem in problems]
    yield Section(columns=(Column("PROBLEM"),), rows=rows, shows_no_rows=True, only="markdown")
