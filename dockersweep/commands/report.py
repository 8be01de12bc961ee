"""`dockersweep report`: disk usage, its trend, and what to fix."""

import os
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.commands.gather import (
    gather_policy,
    gather_survey,
    note_look,
    open_to_read,
    survey_of,
)
from dockersweep.commands.options import OutputOptions, ReportOptions
from dockersweep.commands.python_gc import without_collector
from dockersweep.commands.write import is_written, terminal_width, write_problems, write_result
from dockersweep.errors import UsageError
from dockersweep.files import is_there
from dockersweep.model.history import PastRun
from dockersweep.model.policy import Policy
from dockersweep.model.report import SEVERITIES, Finding, Report, Severity
from dockersweep.policy.disk_report import Past, make_report
from dockersweep.policy.judging.survey import Survey
from dockersweep.policy.planning.planner import foresee

if TYPE_CHECKING:
    from dockersweep.ledger import Ledger
    from dockersweep.model.report import ArchiveState

FOUND = 10
"""The exit status if a finding is at least as severe as --fail-on."""
METRICS_MODE = 0o644
"""Readable for the collector's user; metrics name no objects."""
DAYS_OF_ARRIVALS = timedelta(days=7)


class _LastRun(Struct, frozen=True):
    """The last run from the ledger; not part of the report."""

    run: PastRun | None
    reclaimed_bytes: int | None


def run(options: ReportOptions) -> int:
    """Write the report; return the exit status."""
    if options.quiet and options.fail_on is None:
        raise UsageError("--quiet prints nothing unless --fail-on is reached: give that as well")
    return write_report(options, gather_policy(options.policy))


def write_report(options: ReportOptions, policy: Policy) -> int:
    """Write the report by a policy; return the exit status."""
    report, last = _make(options, policy)
    bad = _as_bad_as(options.fail_on or "critical", report)
    is_found = bool(bad) and options.fail_on is not None
    has_news = is_found or not options.quiet
    has_result = is_written(options.output, has_news=has_news, only_problems=options.only_problems)
    if has_result:
        with without_collector():
            text = _FORMATS[options.output.format](report, last, options)
        write_result(text, options.output.path, METRICS_MODE if options.output.format == "prometheus" else None)
    if has_news and (bad or report.warnings):
        from dockersweep.report.headline import problems_of, warning_sentences

        warnings = problems_of(report.warnings) if options.only_problems else report.warnings
        findings = [f"{finding.severity.capitalize()}: {finding.title} ({finding.id})" for finding in bad]
        write_problems([*warning_sentences(warnings), *findings], options.output, is_in_result=has_result)
    return FOUND if is_found else 0


def _as_bad_as(severity: Severity, report: Report) -> list[Finding]:
    worst = SEVERITIES.index(severity)
    return [finding for finding in report.findings if SEVERITIES.index(finding.severity) <= worst]


def _make(options: ReportOptions, policy: Policy) -> tuple[Report, _LastRun]:
    """Return the report. The survey, which is as large as the output, is freed before the report is written."""
    survey, past, last, folders = _gather(options, policy)
    # A saved inventory may be of another machine.
    archives = _archives(policy, survey, folders) if options.engine.inventory is None else ()
    with without_collector():
        return make_report(survey, policy, foresee(survey, policy), past, archives), last


def _gather(options: ReportOptions, policy: Policy) -> tuple[Survey, Past | None, _LastRun, tuple[str, ...]]:
    """Return also the folders of archives that the ledger names."""
    if options.engine.inventory is not None:
        return gather_survey(options.engine, policy), None, _LastRun(None, None), ()
    # Imported late: for a saved inventory no files are looked for.
    from dockersweep.commands.project_files import with_missing_files

    with open_to_read(options.engine) as (client, ledger):
        survey = survey_of(client, options.engine, ledger, policy, for_report=True)
        note_look(ledger, survey.inventory)
        survey = survey.with_inventory(with_missing_files(survey.inventory))
        last = _LastRun(*ledger.last_run(client.engine))
        return survey, _past(ledger, survey), last, ledger.archive_folders()


def _archives(policy: Policy, survey: Survey, of_ledger: tuple[str, ...]) -> "tuple[ArchiveState, ...]":
    """Return the state of each archive that is there: that of the policy first, then those that the ledger names."""
    # It loads what a saved inventory does not need.
    from dockersweep.commands.archive_folder import known_archives

    first, *others = known_archives(policy.archive, of_ledger)
    places = [first] if policy.archive is not None or _may_be_there(first) else []
    return tuple(
        state
        for folder in (*places, *filter(_may_be_there, others))
        if (state := _state_of(folder, policy if folder == first else None, survey)) is not None
    )


def _may_be_there(folder: str) -> bool:
    try:
        return is_there(folder)
    except OSError:
        return True


def _state_of(folder: str, policy: Policy | None, survey: Survey) -> "ArchiveState | None":
    from dockersweep.archive.state import state_of_archive
    from dockersweep.commands.archive_facts import is_on_engine_disk

    state = state_of_archive(folder, None if policy is None else policy.archive)
    if state is None:
        return None
    state = replace(state, on_engine_disk=is_on_engine_disk(folder, survey.inventory))
    known = survey.archive if policy is not None else None
    return replace(state, problem=known.problem) if known and known.is_missing else state


def _past(ledger: "Ledger", survey: Survey) -> Past | None:
    if not ledger.is_used:
        return None
    inventory = survey.inventory
    return Past(
        points=ledger.sizes(inventory.engine, survey.size_base),
        arrivals=ledger.dangling_since(inventory.engine, inventory.taken_at - DAYS_OF_ARRIVALS),
    )


def _laid_out(report: Report, _: _LastRun, options: ReportOptions) -> str:
    from dockersweep.report.disk.layout import disk_layout
    from dockersweep.report.formats import formatted

    width = terminal_width(options.output.path)
    layout = disk_layout(report, width, with_bars=_is_looked_at(options.output))
    return formatted(layout, options.output.format, width)


def _is_looked_at(output: OutputOptions) -> bool:
    """Whether the output goes to a terminal that can show block characters."""
    if output.goes_to_file or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return False
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _json(report: Report, _: _LastRun, options: ReportOptions) -> str:
    from dockersweep.words.documents import write_document

    return write_document(report)


def _html(report: Report, _: _LastRun, options: ReportOptions) -> str:
    from dockersweep.report.disk.page.document import page

    return page(report)


def _parquet(report: Report, _: _LastRun, options: ReportOptions) -> bytes:
    from dockersweep.commands.row_output import parquet

    return parquet(report)


def _prometheus(report: Report, last: _LastRun, options: ReportOptions) -> str:
    from dockersweep.report.disk.metrics import exposition

    return exposition(report, last.run, last.reclaimed_bytes)


_FORMATS: dict[str, Callable[[Report, _LastRun, ReportOptions], str | bytes]] = {
    "table": _laid_out,
    "json": _json,
    "csv": _laid_out,
    "markdown": _laid_out,
    "html": _html,
    "prometheus": _prometheus,
    "parquet": _parquet,
}
