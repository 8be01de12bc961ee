"""The metrics that a watcher serves and writes: its own, and those of reports that other processes make."""

import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dockersweep.commands.watching import metrics_file, reporting
from dockersweep.commands.watching.metrics_file import MetricsFile
from dockersweep.commands.watching.publishing import Publisher
from dockersweep.commands.watching.reporting import ReportedMetrics
from dockersweep.errors import UsageError
from dockersweep.model.watching import WatchState
from dockersweep.report.watch_metrics import PREFIX
from tests.commands.watching.test_serving import got
from tests.rig.watch_states import events, watch_state

ONE = "print('# TYPE dockersweep_objects gauge'); print('dockersweep_objects{engine=\"a\"} 5')"
SECONDS = 10
TO_WAIT = 0.01


def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so; it must be in time."""
    ends_at = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < ends_at
        time.sleep(TO_WAIT)


def doing(*codes: str) -> Callable[[], "subprocess.Popen[bytes]"]:
    """Starts Python with the first of these, then the second, at last always the last."""
    left = list(codes)

    def start() -> "subprocess.Popen[bytes]":
        code = left.pop(0) if len(left) > 1 else left[0]
        return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    return start


class Reports:
    """Reports that other processes make, and what is told of them."""

    def __init__(self, start: Callable[[], "subprocess.Popen[bytes]"], state: WatchState) -> None:
        self.sentences: list[str] = []
        self.state = state
        self.outcomes: list[bool | None] = []
        self.reported = ReportedMetrics(start, lambda: self.state, self.sentences.append, self._count)

    def _count(self) -> None:
        self.outcomes.append(self.reported.is_made)

    @property
    def made(self) -> int:
        """How many were made, or failed."""
        return len(self.outcomes)


@contextmanager
def reports(start: Callable[[], "subprocess.Popen[bytes]"], **fields: Any) -> Iterator[Reports]:
    """Reports that are being made."""
    one = Reports(start, watch_state(**fields))
    one.reported.start()
    try:
        yield one
    finally:
        one.reported.close()


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(reporting, "_LOOK_SECONDS", 0.02)


def test_a_report_is_made_at_once_and_when_it_is_asked_for() -> None:
    with reports(doing(ONE, ONE.replace(" 5", " 6"))) as made:
        until(lambda: made.made == 1)
        [family] = made.reported.metrics
        assert (family.name, family.samples[0].value) == ("dockersweep_objects", 5)
        assert made.reported.is_made
        made.reported.refresh()
        until(lambda: made.made == 2)
        assert made.reported.metrics[0].samples[0].value == 6
    assert made.sentences == []


@pytest.mark.parametrize(
    "fields", [{"events": events(is_connected=False)}, {"sweeping": "space"}], ids=["no engine", "a sweep"]
)
def test_no_report_is_made_without_the_engine_nor_beside_a_sweep(fields: dict[str, Any]) -> None:
    with reports(doing(ONE), **fields) as made:
        time.sleep(0.3)
        assert made.made == 0
        assert made.reported.is_made is None
        made.state = watch_state()
        until(lambda: made.made == 1)


FAILURES = {
    "an error": ("import sys; print('the engine is away', file=sys.stderr); sys.exit(5)", "the engine is away"),
    "no metrics": ("print('hello, world')", "no metrics"),
    "nothing": ("pass", "no metrics"),
    "no text": ("import sys; sys.stdout.buffer.write(b'\\xff')", "no metrics"),
    "names of the watcher": (f"print('{PREFIX}x 1')", "no metrics of a report"),
    "a crash": ("import os; os.kill(os.getpid(), 9)", "exit status"),
    "control characters": ("import sys; sys.exit('a\\x1b[31mb')", "a"),
}


@pytest.mark.parametrize(("code", "why"), FAILURES.values(), ids=FAILURES)
def test_a_report_that_fails_is_told_once_and_made_again(code: str, why: str) -> None:
    with reports(doing(ONE, code, code, ONE)) as made:
        until(lambda: made.made == 1)
        made.reported.refresh()
        until(lambda: made.made == 2)
        assert made.reported.metrics[0].samples[0].value == 5
        until(lambda: made.made == 4)
        assert made.outcomes == [True, False, False, True]
    assert len(made.sentences) == 2
    assert why in made.sentences[0]
    assert "\x1b" not in made.sentences[0]
    assert "again" in made.sentences[1]


def test_a_report_that_cannot_be_started_is_told() -> None:
    def broken() -> "subprocess.Popen[bytes]":
        raise OSError(11, "Resource temporarily unavailable")

    with reports(broken) as made:
        until(lambda: made.made == 3)
    assert len(made.sentences) == 1
    assert "Resource temporarily unavailable" in made.sentences[0]


def test_a_report_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "LONGEST_SECONDS", 0.2)
    monkeypatch.setattr(reporting, "_END_SECONDS", 0.2)
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
    with reports(doing(deaf, ONE)) as made:
        until(lambda: made.made == 2)
        assert made.reported.is_made
    assert "longer than" in made.sentences[0]


def test_the_end_of_the_watcher_is_the_end_of_a_report() -> None:
    started: list[subprocess.Popen[bytes]] = []
    begin = doing("import time; time.sleep(60)")

    def start() -> "subprocess.Popen[bytes]":
        started.append(begin())
        return started[-1]

    began = time.monotonic()
    with reports(start) as made:
        until(lambda: started)
    assert time.monotonic() - began < 5
    assert started[0].returncode is not None
    assert made.sentences == []


@contextmanager
def written(path: Path, text: Callable[[], str], tell: Callable[[str], None]) -> Iterator[MetricsFile]:
    """A file that is written."""
    file = MetricsFile(str(path), text, tell)
    file.start()
    try:
        yield file
    finally:
        file.close()


def test_a_file_is_replaced_and_readable_for_all(tmp_path: Path) -> None:
    path = tmp_path / "m.prom"
    texts = iter(["a 1\n", "a 2\n", "a 3\n"])
    with written(path, lambda: next(texts), lambda _: None) as file:
        until(path.is_file)
        first = path.stat()
        assert path.read_text() == "a 1\n"
        file.refresh()
        until(lambda: path.read_text() == "a 2\n")
        assert path.stat().st_ino != first.st_ino
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [one.name for one in tmp_path.iterdir()] == ["m.prom"]


def test_a_file_is_written_again_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_file, "EVERY_SECONDS", 0.02)
    count = iter(range(10_000))
    with written(tmp_path / "m", lambda: f"a {next(count)}\n", lambda _: None):
        until(lambda: next(count) > 5)


def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_file, "EVERY_SECONDS", 0.02)
    sentences: list[str] = []
    count = iter(range(10_000))
    path = tmp_path / "later" / "m"
    with written(path, lambda: f"a {next(count)}\n", sentences.append):
        until(lambda: next(count) > 5)
        assert len(sentences) == 1
        assert "cannot be written" in sentences[0]
        path.parent.mkdir()
        until(lambda: len(sentences) > 1)
        assert path.read_text().startswith("a ")
    assert len(sentences) == 2


def test_a_file_that_cannot_be_replaced_again_and_again_is_refused() -> None:
    for path in ("-", ""):
        with pytest.raises(UsageError, match="--metrics"):
            Publisher(None, False, path)


def test_what_is_served_is_what_is_written(tmp_path: Path) -> None:
    path, state = tmp_path / "m", watch_state()
    publisher = Publisher(f"unix:{tmp_path}/s", False, str(path))
    assert publisher.url == f"unix:{tmp_path}/s"
    sentences: list[str] = []
    try:
        publisher.start(lambda: state, doing(ONE), sentences.append)
        until(lambda: b"dockersweep_objects" in got(f"{tmp_path}/s")[2])
        served = got(f"{tmp_path}/s")[2].decode()
        assert f"{PREFIX}healthy" in served
        until(lambda: "dockersweep_objects" in path.read_text())

        def names(text: str) -> set[str]:
            return {line.split("{")[0] for line in text.splitlines() if not line.startswith("#")}

        assert names(path.read_text()) == names(served)
        assert got(f"{tmp_path}/s", "/healthz")[0] == 503
        state = replace(state, ticked_at=time.monotonic())
        assert got(f"{tmp_path}/s", "/healthz")[0] == 200
        state = replace(state, events=replace(state.events, gaps=77))
        publisher.refresh()
        until(lambda: "gaps_total" in path.read_text() and "77.0" in path.read_text())
    finally:
        publisher.close()
    assert sentences == []


def test_nothing_is_left_where_it_ends_at_once(tmp_path: Path) -> None:
    before = threading.active_count()
    for is_started in (False, True):
        publisher = Publisher(f"unix:{tmp_path}/s", False, None)
        with suppress(OSError):
            if is_started:
                publisher.start(watch_state, doing(ONE), lambda _: None)
        publisher.close()
        assert not (tmp_path / "s").exists()
    until(lambda: threading.active_count() == before)
