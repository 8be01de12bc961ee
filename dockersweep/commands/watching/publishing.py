"""What --listen and --metrics ask of a watcher: its state as metrics and health, beside the metrics of a report."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime

from prometheus_client.metrics_core import Metric

from dockersweep.commands.watching.listening import listen
from dockersweep.commands.watching.metrics_file import MetricsFile
from dockersweep.commands.watching.reporting import ReportedMetrics, StartReport
from dockersweep.commands.watching.serving import MetricsServer
from dockersweep.errors import UsageError
from dockersweep.model.watching import WatchState
from dockersweep.report.exposition import exposition_of
from dockersweep.report.watch_health import Health, health_of
from dockersweep.report.watch_metrics import watch_metrics


class Publisher:
    """Metrics and health of one watcher, from threads of its own. Nothing of it raises, but that it cannot be made."""

    def __init__(self, listen_on: str | None, listen_any: bool, metrics_file: str | None) -> None:
        """Open what --listen names, before anything else starts. Raises UsageError where that is not possible."""
        if metrics_file in ("", "-"):
            raise UsageError("--metrics takes the path of a file: it is replaced again and again")
        self._listener = None if listen_on is None else listen(listen_on, any_address=listen_any)
        self._path = metrics_file
        self._opened = ExitStack()
        if self._listener is not None:
            self._opened.callback(self._listener.close)
        self._reported: ReportedMetrics | None = None
        self._file: MetricsFile | None = None

    @property
    def url(self) -> str | None:
        """Where the metrics are served; None without --listen."""
        return None if self._listener is None else self._listener.url

    def start(self, state: Callable[[], WatchState], start_report: StartReport, tell: Callable[[str], None]) -> None:
        """Begin to serve and write. All three are called from other threads; `tell` gets a sentence to log."""
        reported = ReportedMetrics(start_report, state, tell, self._refresh_file)

        def metrics() -> list[Metric]:
            now = state()
            own = watch_metrics(
                now,
                datetime.now(UTC),
                is_healthy=health_of(now, time.monotonic()).healthy,
                is_reported=reported.is_made,
            )
            return [*own, *reported.metrics]

        def health() -> Health:
            return health_of(state(), time.monotonic())

        if self._path is not None:
            self._file = MetricsFile(self._path, lambda: exposition_of(metrics()), tell)
            self._file.start()
            self._opened.callback(self._file.close)
        if self._listener is not None:
            server = MetricsServer(self._listener, metrics, health)
            server.start()
            self._opened.callback(server.close)
        self._reported = reported
        reported.start()
        self._opened.callback(reported.close)

    def refresh(self) -> None:
        """Tell of a sweep that has ended, at once. Returns before that is done."""
        self._refresh_file()
        if self._reported is not None:
            self._reported.refresh()

    def close(self) -> None:
        """End it all."""
        self._opened.close()

    def _refresh_file(self) -> None:
        if self._file is not None:
            self._file.refresh()
