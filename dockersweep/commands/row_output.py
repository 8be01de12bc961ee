"""The format parquet: the rows of one document, so that many are read as one."""

from typing import TYPE_CHECKING

from dockersweep.errors import UsageError
from dockersweep.warehouse.database import require_duckdb

if TYPE_CHECKING:
    from dockersweep.model.outcome import OutcomeDocument
    from dockersweep.model.plan import Plan
    from dockersweep.model.report import Report
    from dockersweep.policy.judging.survey import Survey


def require_parquet(goes_to_file: bool) -> None:
    """Raise UsageError where it cannot be written: without a file, or without DuckDB."""
    if not goes_to_file:
        raise UsageError("--format parquet is not for a terminal or a pipe: name a file with -o")
    require_duckdb()


def parquet(document: "Plan | Report | OutcomeDocument") -> bytes:
    """Return the rows of a document. Raises OutputError where they cannot be written."""
    from dockersweep.warehouse.parquet import parquet_of
    from dockersweep.warehouse.row_making import rows_of

    return parquet_of(rows_of(document))


def parquet_of_scan(survey: "Survey") -> bytes:
    """Return the rows of an inventory. Raises OutputError where they cannot be written."""
    from dockersweep.policy.disk_report import make_report
    from dockersweep.policy.judging.foreseen import Foreseen
    from dockersweep.policy.judging.judge import Judge
    from dockersweep.policy.language.default_policy import DEFAULT_POLICY
    from dockersweep.warehouse.parquet import parquet_of
    from dockersweep.warehouse.row_making import rows_of_scan

    nothing_goes = Foreseen([], (), Judge(survey, DEFAULT_POLICY).decide_again)
    return parquet_of(rows_of_scan(survey.inventory, make_report(survey, DEFAULT_POLICY, nothing_goes, None)))
