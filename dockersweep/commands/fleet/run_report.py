"""The report on all hosts of a run: their reports as one."""

import os
from typing import TYPE_CHECKING

from dockersweep.errors import UsageError
from dockersweep.warehouse.database import private_folder, require_duckdb

if TYPE_CHECKING:
    from dockersweep.commands.fleet.written_fleet import WrittenFleet
    from dockersweep.commands.options import OutputOptions


def has_duckdb() -> bool:
    """Return whether DuckDB is installed."""
    try:
        require_duckdb()
    except UsageError:
        return False
    return True


def run_report(written: "WrittenFleet", output: "OutputOptions") -> str:
    """Return the report on all hosts in the requested format. Raises UsageError where DuckDB is not installed."""
    require_duckdb()
    from dockersweep.commands.folded_documents import report_on_files, report_text
    from dockersweep.policy.language.default_policy import DEFAULT_POLICY
    from dockersweep.warehouse.folder import Files

    with private_folder() as folder:
        path = os.path.join(folder, "run.json")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(written.as_json())
        # Only inventories are judged, and a report is none.
        report = report_on_files(Files((path,), ()), "This run", DEFAULT_POLICY)
    return report_text(report, output)
