"""`dockersweep report`: where the disk went, whether it gets worse, and what to do about it."""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from dockersweep.commands.gather import (
    NO_REMOVALS_SECONDS,
    Picture,
    gather_picture,
    gather_policy,
    open_engine,
    open_memory,
    picture_of,
)
from dockersweep.commands.verdict import verdict
from dockersweep.commands.write import terminal_width, write_result
from dockersweep.ledger import Memory
from dockersweep.model.history import PastRun
from dockersweep.model.inventory import Inventory
from dockersweep.model.report import SEVERITIES, Report
from dockersweep.policy.disk_report import Past, make_report
from dockersweep.policy.planner import make_plan
from dockersweep.policy.sizes import size_base
from dockersweep.report.text import plural

FOUND = 10
"""The exit status where something is as bad as --fail-on says."""
DAYS_OF_ARRIVALS = timedelta(days=7)


@dataclass(frozen=True)
class _Seen:
    """What a report is made of, beside the policy."""

    picture: Picture
    past: Past | None
    last_run: PastRun | None
    reclaimed_bytes: int | None


def run(arguments: argparse.Namespace) -> int:
    """Write the report; return the exit status."""
    policy = gather_policy(arguments)
    seen = _gather(arguments)
    inventory = seen.picture.inventory
    report = make_report(inventory, make_plan(inventory, policy, seen.picture.now), seen.past)
    write_result(_FORMATS[arguments.format](report, seen, arguments), arguments.output)
    if arguments.fail_on is None:
        return 0
    worst = SEVERITIES.index(arguments.fail_on)
    bad = [one.id for one in report.findings if SEVERITIES.index(one.severity) <= worst]
    if not bad:
        return 0
    why = f"{plural(len(bad), 'finding')} of severity {arguments.fail_on} or worse: {', '.join(bad)}"
    return verdict(FOUND, why, arguments)


def _gather(arguments: argparse.Namespace) -> _Seen:
    if arguments.inventory is not None:
        return _Seen(gather_picture(arguments), None, None, None)
    with open_memory(arguments) as memory, open_engine(arguments, NO_REMOVALS_SECONDS) as client:
        picture = picture_of(client, arguments, memory, for_report=True)
        memory.looked_at(client.engine, picture.inventory.taken_at)
        last_run, reclaimed = memory.last_run(client.engine)
        return _Seen(picture, _past(memory, picture.inventory), last_run, reclaimed)


def _past(memory: Memory, inventory: Inventory) -> Past | None:
    if not memory.is_used:
        return None
    return Past(
        points=memory.sizes(inventory.engine, size_base(inventory)),
        arrivals=memory.dangling_since(inventory.engine, inventory.taken_at - DAYS_OF_ARRIVALS),
    )


def _table(report: Report, _: _Seen, arguments: argparse.Namespace) -> str:
    from dockersweep.report.disk_table import disk_table

    return disk_table(report, terminal_width(arguments.output), with_bars=_is_looked_at(arguments.output))


def _is_looked_at(path: str | None) -> bool:
    """Whether a person sees it at once, on something that can show blocks."""
    if path not in (None, "-") or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return False
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _json(report: Report, _: _Seen, arguments: argparse.Namespace) -> str:
    from dockersweep.model.documents import write_document

    return write_document(report)


def _csv(report: Report, _: _Seen, arguments: argparse.Namespace) -> str:
    from dockersweep.report.disk_csv import disk_csv

    return disk_csv(report)


def _markdown(report: Report, _: _Seen, arguments: argparse.Namespace) -> str:
    from dockersweep.report.disk_markdown import disk_markdown

    return disk_markdown(report)


def _html(report: Report, _: _Seen, arguments: argparse.Namespace) -> str:
    from dockersweep.report.html import html_report

    return html_report(report)


def _prometheus(report: Report, seen: _Seen, arguments: argparse.Namespace) -> str:
    from dockersweep.report.prometheus import prometheus_report

    return prometheus_report(report, seen.last_run, seen.reclaimed_bytes)


_FORMATS: dict[str, Callable[[Report, _Seen, argparse.Namespace], str]] = {
    "table": _table,
    "json": _json,
    "csv": _csv,
    "markdown": _markdown,
    "html": _html,
    "prometheus": _prometheus,
}
