"""The metrics of a report, which a process of its own makes now and then, so that the watcher stays small."""

import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from dockersweep.model.watching import WatchState
from dockersweep.report.text import printable
from dockersweep.report.watch_metrics import PREFIX

EVERY_SECONDS = 900.0
"""How often a report is made without a sweep."""
RETRY_SECONDS = 60.0
"""After how long one is made again that failed; twice as long after each further failure."""
LONGEST_SECONDS = 900.0
"""How long one may take."""
LARGEST_BYTES = 4_000_000
_LOOK_SECONDS = 5.0
"""How often it is looked whether a report that is due can be made."""
_END_SECONDS = 5.0

StartReport = Callable[[], "subprocess.Popen[bytes]"]
"""Starts `report --format prometheus` with the policy in force, with pipes for what it writes. May raise OSError."""


class ReportedMetrics:
    """The metrics of the last report, from a thread of its own."""

    def __init__(
        self,
        start_report: StartReport,
        state: Callable[[], WatchState],
        tell: Callable[[str], None],
        on_change: Callable[[], None],
    ) -> None:
        """`tell` gets a sentence where reports begin to fail, `on_change` is called after each report; both from the
        other thread."""
        self.metrics: tuple[Metric, ...] = ()
        """Those of the last report that could be made."""
        self.is_made: bool | None = None
        """Whether the last one could be made; None before the first."""
        self._start_report, self._state, self._tell, self._on_change = start_report, state, tell, on_change
        self._failures = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._is_closing = False
        self._lock = threading.Lock()
        self._asked = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)

    def start(self) -> None:
        """Make a report as soon as the engine is there, and again every quarter of an hour."""
        self._thread.start()

    def refresh(self) -> None:
        """Make one now: a sweep has changed what is there. Returns at once."""
        self._asked.set()

    def close(self) -> None:
        """End the thread, and a report that is under way."""
        with self._lock:
            self._is_closing = True
            process = self._process
        self._asked.set()
        if process is not None:
            _end(process)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        due_at = time.monotonic()
        while not self._is_closing:
            now = time.monotonic()
            if now >= due_at and self._can_be_made():
                self._make()
                due_at = time.monotonic() + self._pause()
            wait = max(_LOOK_SECONDS if now >= due_at else 0.0, due_at - time.monotonic())
            if self._asked.wait(wait):
                self._asked.clear()
                due_at = time.monotonic()

    def _can_be_made(self) -> bool:
        """Whether the engine is there, and no sweep needs it."""
        state = self._state()
        return state.events.is_answering and state.sweeping is None

    def _pause(self) -> float:
        return EVERY_SECONDS if not self._failures else min(EVERY_SECONDS, RETRY_SECONDS * 2 ** (self._failures - 1))

    def _make(self) -> None:
        try:
            metrics = _parsed(self._output())
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            if self._is_closing:
                return
            self._failures += 1
            self.is_made = False
            if self._failures == 1:
                self._tell(f"the metrics of a report cannot be made: {_problem(error)}; trying again")
        else:
            if self._failures:
                self._tell("the metrics of a report can be made again")
            self._failures, self.is_made, self.metrics = 0, True, metrics
        self._on_change()

    def _output(self) -> bytes:
        with self._lock:
            if self._is_closing:
                return b""
            process = self._process = self._start_report()
        try:
            output, errors = process.communicate(timeout=LONGEST_SECONDS)
        finally:
            _end(process)
            _close_pipes(process)
            with self._lock:
                self._process = None
        if process.returncode:
            raise ValueError(_last_line(errors or b"") or f"it ended with exit status {process.returncode}")
        if len(output) > LARGEST_BYTES:
            raise ValueError(f"they are larger than {LARGEST_BYTES // 1_000_000} MB")
        return output


def _parsed(text: bytes) -> tuple[Metric, ...]:
    """Return the metrics of an exposition. Raises ValueError for anything else, and for names of the watcher's own."""
    metrics: tuple[Metric, ...] = ()
    # The parser's own errors would only confuse.
    with suppress(ValueError, LookupError):
        metrics = tuple(text_string_to_metric_families(text.decode()))
    if not metrics or any(metric.name.startswith(PREFIX) for metric in metrics):
        raise ValueError("what it wrote are no metrics of a report")
    return metrics


def _last_line(errors: bytes) -> str:
    lines = errors.decode(errors="replace").strip().splitlines()
    return printable(lines[-1].removeprefix("dockersweep: ").rstrip(".")) if lines else ""


def _problem(error: Exception) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it took longer than {error.timeout:.0f} seconds"
    return getattr(error, "strerror", None) or str(error)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
    if process.poll() is None:
        process.kill()
        process.wait()


def _close_pipes(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
