"""`dockersweep history`: what earlier runs did, from the ledger alone."""

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from dockersweep.commands.verdict import verdict
from dockersweep.commands.write import terminal_width, write_result
from dockersweep.errors import LedgerError, UsageError
from dockersweep.files import is_there
from dockersweep.ledger import FILE_NAME, find_problems, read_object, read_run, read_runs, state_folder
from dockersweep.model.documents import write_document
from dockersweep.model.history import History
from dockersweep.report.history_csv import history_csv
from dockersweep.report.history_table import Asks, history_markdown, history_table
from dockersweep.report.text import plural
from dockersweep.units import AGE_HELP, format_instant, parse_age, parse_instant


def run(arguments: argparse.Namespace) -> int:
    """Write what is asked for; return the exit status."""
    _check(arguments)
    folder = state_folder(os.environ, os.geteuid())
    if arguments.run == "verify":
        return _verify(folder, arguments)
    since = None if arguments.since is None else since_instant(arguments.since, _now())
    if arguments.run is not None:
        history = read_run(folder, arguments.run)
    elif arguments.object is not None:
        history = read_object(folder, arguments.object, since)
    else:
        history = read_runs(folder, since)
    if not (history.runs or history.lives):
        what = "no runs yet" if since is None else f"no runs since {format_instant(since)}"
        where = "in" if is_there(folder / FILE_NAME) else "there is no ledger at"
        sys.stderr.write(f"{what}: {where} {history.path}\n")
    write_result(_text(history, arguments), arguments.output)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if arguments.host is not None or arguments.context is not None:
        raise UsageError("history reads the ledger and asks no engine: leave out --host and --context")
    what = "history verify" if arguments.run == "verify" else "history RUN"
    if arguments.run is not None and (arguments.object is not None or arguments.since is not None):
        raise UsageError(f"{what} speaks of one thing: leave out --object and --since")
    if arguments.object == "":
        raise UsageError("the name of the object is empty: write a name, a tag, the beginning of an id, or KIND:NAME")


def since_instant(text: str, now: datetime) -> datetime:
    """Read an age, counted back from now, or a date or time, in UTC where it names no other zone.

    Raises UsageError that says what is wrong and what it looks like.
    """
    try:
        date = datetime.fromisoformat(text)
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        pass
    try:
        return parse_age(text).before(now)
    except UsageError:
        raise UsageError(
            f'--since: "{text}" is neither an age nor a date: write {AGE_HELP}, or like 2026-11-01 or 2026-11-01T18:30'
        ) from None


def _now() -> datetime:
    return parse_instant(os.environ.get("DOCKERSWEEP_NOW")) or datetime.now(UTC)


def _verify(folder: Path, arguments: argparse.Namespace) -> int:
    """Write what is wrong with the file."""
    problems = find_problems(folder)
    history = History(schema="dockersweep.history/1", path=str(folder / FILE_NAME), runs=(), problems=problems or ())
    if problems is None:
        sys.stderr.write(f"there is no ledger yet at {history.path}\n")
        if arguments.format == "table":
            return 0
    write_result(_text(history, arguments), arguments.output)
    if not problems:
        return 0
    return verdict(LedgerError.exit_status, f"{history.path}: {plural(len(problems), 'problem')}", arguments)


def _asks(arguments: argparse.Namespace) -> Asks:
    if arguments.run == "verify":
        return "problems"
    return "run" if arguments.run is not None else "object" if arguments.object is not None else "runs"


def _text(history: History, arguments: argparse.Namespace) -> str:
    if arguments.format == "json":
        return write_document(history)
    asks = _asks(arguments)
    if arguments.format == "csv":
        return history_csv(history, asks)
    if arguments.format == "markdown":
        return history_markdown(history, asks)
    return history_table(history, asks, terminal_width(arguments.output))
