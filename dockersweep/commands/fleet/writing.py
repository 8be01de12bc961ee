"""Writes what became of a verb on several hosts: the document, or its table and those of the hosts."""

import shlex
import sys
from collections.abc import Iterator

from dockersweep.commands.fleet.verb_parts import NEED_DUCKDB, VerbParts
from dockersweep.commands.fleet.written_fleet import WrittenFleet
from dockersweep.commands.options import OutputOptions
from dockersweep.commands.write import Destination, is_written, terminal_width, write_aside, write_problems
from dockersweep.fleet.folding import SOMETHING_TO_REMOVE
from dockersweep.model.documents import read_explanation
from dockersweep.model.fleet import Fleet, FleetHost
from dockersweep.report.fleet.layout import STATUS_WORDS, fleet_layout, headline, problem_lines
from dockersweep.report.layout import Layout, Section

METRICS_MODE = 0o644


def write_fleet(written: WrittenFleet, parts: VerbParts) -> None:
    """Write the result, and what needs a person to standard error."""
    fleet, output = written.fleet, parts.output
    problems = [host for host in fleet.hosts if host.status != "done"]
    if parts.quiet or parts.only_problems:
        # What is allowed every night is no news.
        problems = _without_allowed(problems, fleet.allow_unreached)
    has_news = not parts.quiet or bool(problems) or any(host.sums.freed for host in fleet.hosts)
    has_result = is_written(output, has_news=has_news, only_problems=parts.only_problems)
    if has_result:
        # Another user collects metrics, and they name no objects.
        mode = METRICS_MODE if output.format == "prometheus" else None
        Destination(output.path).write(written.as_json() if output.format == "json" else _text(written, parts), mode)
    lines = [f"dockersweep: {_problem(host)}" for host in problems]
    lines += problem_lines(fleet)
    if fleet.exit_status == SOMETHING_TO_REMOVE and output.goes_to_file and not parts.only_problems:
        # Nobody sees the file: without a line cron would mail nothing.
        lines.append(f"dockersweep: {headline(fleet)}")
    write_problems(lines, output, is_in_result=has_result)
    if has_result:
        _tell_what_is_saved(fleet, output)


def _tell_what_is_saved(fleet: Fleet, output: OutputOptions) -> None:
    """Tell a person at a terminal how to carry out the plans that a file holds."""
    path = output.path
    if path in (None, "-") or fleet.verb != "plan" or not sys.stderr.isatty():
        return
    can_apply = output.format == "json" and any(host.sums.removals for host in fleet.hosts)
    then = f": carry it out with dockersweep apply {shlex.quote(path)}" if can_apply else ""
    write_aside(f"Saved in {path}, {headline(fleet).rstrip('.')}{then}", folds=False)


def _text(written: WrittenFleet, parts: VerbParts) -> Iterator[str]:
    from dockersweep.report.formats import formatted

    fleet, width, form = written.fleet, terminal_width(parts.output.path), parts.output.format
    if fleet.verb == "report" and form != "csv":
        from dockersweep.commands.fleet.run_report import has_duckdb, run_report

        if form in NEED_DUCKDB or has_duckdb():
            yield run_report(written, parts.output)
            return
    if parts.detail == "all" and form != "csv":
        yield from _host_tables(written, form, width)
    if fleet.verb == "explain":
        from dockersweep.report.fleet.explanations import explained_layout, explanations_layout

        documents = [written.document_of(number) for number in range(len(fleet.hosts))]
        explained = [None if data is None else read_explanation(data, "an explanation") for data in documents]
        if len(explained) == 1 and explained[0] is not None and form != "csv":
            yield formatted(explained_layout(explained[0]), form, width)
            return
        yield formatted(explanations_layout(fleet, explained), form, width)
        return
    yield formatted(fleet_layout(fleet, only_sums=parts.detail == "totals"), form, width)


def _without_allowed(problems: list[FleetHost], allow_unreached: int) -> list[FleetHost]:
    unreached = [host for host in problems if host.status == "not-reached"]
    return [host for host in problems if host not in unreached] if len(unreached) <= allow_unreached else problems


def _host_tables(written: WrittenFleet, form: str, width: int | None) -> Iterator[str]:
    from dockersweep.commands.fleet.host_tables import host_layout
    from dockersweep.report.formats import formatted

    for number, host in enumerate(written.fleet.hosts):
        document = written.document_of(number)
        if document is not None:
            for layout in (Layout(None, (Section(host.name),)), host_layout(host.name, document, width)):
                yield formatted(layout, form, width) + "\n"


def _problem(host: FleetHost) -> str:
    return f"{host.name}: {STATUS_WORDS[host.status]}" + (f": {host.message}" if host.message else "")
