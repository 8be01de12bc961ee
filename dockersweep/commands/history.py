"""`dockersweep history`: what earlier runs did, from the ledger alone."""

import os
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from dockersweep.commands.options import HistoryOptions
from dockersweep.commands.write import terminal_width, write_aside, write_problems, write_result
from dockersweep.errors import LedgerError, UsageError
from dockersweep.files import is_there
from dockersweep.ledger import FILE_NAME, state_folder
from dockersweep.ledger.check import find_problems
from dockersweep.ledger.reading import read_object, read_run, read_runs
from dockersweep.model.history import History
from dockersweep.report.formats import formatted
from dockersweep.report.history.layout import Asks, history_layout
from dockersweep.report.local_time import local_time
from dockersweep.units import AGE_HELP, parse_age
from dockersweep.words.documents import write_document


def run(options: HistoryOptions) -> int:
    """Write what was asked for; return the exit status."""
    _check(options)
    folder = state_folder(os.environ, os.geteuid())
    if options.run == "verify":
        return _verify(folder, options)
    since = None if options.since is None else since_instant(options.since, datetime.now(UTC))
    if options.run is not None:
        history = read_run(folder, options.run)
    elif options.object is not None:
        history = read_object(folder, options.object, since)
    else:
        history = _of_engines(read_runs(folder, since), _endpoints(options))
    if not (history.runs or history.lives):
        what = "no runs yet" if since is None else f"no runs since {local_time(since)}"
        where = " in" if is_there(folder / FILE_NAME) else ": there is no ledger at"
        write_aside(f"{what}{where} {history.path}")
    write_result(_text(history, options), options.output.path)
    return 0


def _check(options: HistoryOptions) -> None:
    names_engine = options.endpoints is not None or options.host is not None or options.context is not None
    if names_engine and (options.run is not None or options.object is not None):
        raise UsageError("--host and --context choose among runs: leave them out, or RUN and --object")
    what = "history verify" if options.run == "verify" else "history RUN"
    if options.run is not None and (options.object is not None or options.since is not None):
        raise UsageError(f"{what} shows one thing: leave out --object and --since")
    if options.object == "":
        raise UsageError("the name of the object is empty: write a name, a tag, the beginning of an id, or KIND:NAME")


def _endpoints(options: HistoryOptions) -> tuple[str, ...] | None:
    """Return the URLs of the engines whose runs are asked for; None for all."""
    if options.endpoints is not None or (options.host is None and options.context is None):
        return options.endpoints
    # Imported late: mostly all runs are asked for.
    from dockersweep.engine.api.endpoint import resolve_endpoint

    return (resolve_endpoint(options.host, options.context, os.environ, options.tls).url,)


def _of_engines(history: History, endpoints: tuple[str, ...] | None) -> History:
    if endpoints is None:
        return history
    return replace(history, runs=tuple(run for run in history.runs if run.endpoint in endpoints))


def since_instant(text: str, now: datetime) -> datetime:
    """Return the instant of an age, counted back from now, or of a date or time (UTC unless it names a zone).

    Raises UsageError that says what is wrong and what to write.
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


def _verify(folder: Path, options: HistoryOptions) -> int:
    """Write what is wrong with the file."""
    problems = find_problems(folder)
    history = History(schema="dockersweep.history/1", path=str(folder / FILE_NAME), runs=(), problems=problems or ())
    if problems is None:
        write_aside(f"there is no ledger yet at {history.path}")
        if options.output.format == "table":
            return 0
    write_result(_text(history, options), options.output.path)
    write_problems([f"dockersweep: {history.path}: {problem}" for problem in history.problems or ()], options.output)
    return LedgerError.exit_status if problems else 0


def _asks(options: HistoryOptions) -> Asks:
    if options.run == "verify":
        return "problems"
    return "run" if options.run is not None else "object" if options.object is not None else "runs"


def _text(history: History, options: HistoryOptions) -> str:
    if options.output.format == "json":
        return write_document(history)
    layout = history_layout(history, _asks(options))
    return formatted(layout, options.output.format, terminal_width(options.output.path))
