"""The list of all runs."""

from collections.abc import Iterator, Sequence

from dockersweep.model.history import PastRun
from dockersweep.report.history.words import (
    PREDICTED,
    UNKNOWN,
    engine_of_run,
    freed_by_run,
    is_predicted,
    what_happened,
)
from dockersweep.report.layout import Column, Section, without
from dockersweep.report.local_time import local_time

_WHEN = Column("WHEN")
_WHEN_IN_TWO_LINES = Column("WHEN", wraps=True, narrowest=12)
_ENGINE = Column("ENGINE", shortens=True)
_USER = Column("WHO")
_OF_ONE = "`dockersweep history RUN` lists what a run removed, or says why it was refused."
_COLUMNS = (
    Column("RUN", right=True),
    _WHEN,
    Column("VERB"),
    _ENGINE,
    Column("REMOVED", wraps=True, narrowest=12),
    Column("FREED", right=True, wraps=True, narrowest=8),
    Column("EXIT", right=True),
    _USER,
)


def runs_sections(runs: Sequence[PastRun]) -> Iterator[Section]:
    """Yield the list of runs. An engine or a user that all of them share is named once, above."""
    if not runs:
        return
    engines = {(run.engine_name, run.endpoint) for run in runs}
    users = {run.user for run in runs}
    shared = {column for column, values in ((_ENGINE, engines), (_USER, users)) if len(values) == 1}
    by = f" by {runs[0].user}" if _USER in shared else ""
    on = f" on {engine_of_run(runs[0])}" if _ENGINE in shared else ""
    if shared:
        yield Section(sentences=(f"{'Run' if len(runs) == 1 else 'Runs'}{by}{on}",), is_list=True)
    # Engines of one machine have the same name; then the endpoint is shown.
    has_names = len({name for name, _ in engines}) == len(engines)
    # With a column each for engines and users, a day and its time fit 80 columns only one below the other.
    columns = _COLUMNS if shared else [_WHEN_IN_TWO_LINES if column is _WHEN else column for column in _COLUMNS]
    yield without(shared, Section(columns=columns, rows=[_row(run, has_names) for run in runs]))
    predicted = (PREDICTED,) if any(map(is_predicted, runs)) else ()
    yield Section(sentences=(*predicted, _OF_ONE), is_list=True)


def _row(run: PastRun, has_names: bool) -> tuple[str, ...]:
    return (
        str(run.number),
        local_time(run.started_at),
        run.verb,
        (run.engine_name if has_names else None) or run.endpoint or UNKNOWN,
        what_happened(run),
        freed_by_run(run),
        UNKNOWN if run.exit_status is None else str(run.exit_status),
        run.user,
    )
