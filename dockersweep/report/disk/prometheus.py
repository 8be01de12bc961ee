"""The disk report in Prometheus' text format, for the textfile collector of its node_exporter."""

from dockersweep.errors import UsageError
from dockersweep.model.history import PastRun
from dockersweep.model.report import Report
from dockersweep.report.disk.extras import not_installed


def prometheus_report(report: Report, last_run: PastRun | None, reclaimed_total_bytes: int | None) -> str:
    """Return the metrics, each with its help and type.

    `reclaimed_total_bytes` is what all runs ever gave back, as far as it was measured; None where there is no ledger.
    Raises UsageError where the library of the extra is not installed.
    """
    try:
        # It costs more to load than all else that a report needs.
        from dockersweep.report.disk.metrics import exposition
    except ModuleNotFoundError as missing:
        if missing.name != "prometheus_client":
            raise
        raise UsageError(not_installed("prometheus", "prometheus-client")) from missing
    return exposition(report, last_run, reclaimed_total_bytes)
