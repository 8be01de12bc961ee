"""`dockersweep watch --listen --metrics` as a whole, on an engine that does what the test wants."""

import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.calling import Caller
from tests.commands.watching.test_serving import got
from tests.commands.watching.test_watch import engine_with, policy, watcher_on
from tests.report.test_prometheus import promtool, samples

pytestmark = pytest.mark.programs

SECONDS = 20


def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; it must be in time."""
    ends_at = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < ends_at
        time.sleep(0.05)


def test_metrics_and_health_of_a_watcher_and_of_a_report_are_served_and_written(tmp_path: Path) -> None:
    file, place = tmp_path / "m.prom", f"{tmp_path}/s"

    def has(name: str) -> bool:
        return file.exists() and any(found == f"dockersweep_{name}" for found, _ in samples(file.read_text()))

    flags = ("--listen", f"unix:{place}", "--metrics", str(file))
    with engine_with("a", "b") as engine, watcher_on(engine, policy(tmp_path), *flags) as watcher:
        assert f"unix:{place}" in watcher.until("watching")["text"]
        watcher.until("sweep-ends", removed=2)
        until(lambda: has("objects") and has("watch_last_sweep_removed"))
        status, _, body = got(place)
        assert status == 200
        text = body.decode()
        assert promtool("check", "metrics", text=text) == ""
        assert promtool("check", "metrics", text=file.read_text()) == ""
        found = samples(text)
        assert found["dockersweep_watch_connected", frozenset()] == 1
        assert found["dockersweep_watch_healthy", frozenset()] == 1
        assert found["dockersweep_watch_reported", frozenset()] == 1
        done = frozenset({("cause", "schedule"), ("status", "done")})
        assert found["dockersweep_watch_sweeps_total", done] >= 1
        assert f'engine="{engine.url}"' in text
        assert got(place, "/healthz")[0] == 200
        assert watcher.end() == 128 + signal.SIGTERM
        assert not watcher.others
    assert not Path(place).exists()


def test_an_address_that_is_taken_ends_it_before_anything_starts(call: Caller, tmp_path: Path) -> None:
    with engine_with("a") as engine, socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = call("watch", "-H", engine.url, "--policy", str(policy(tmp_path)), "--listen", address)
        assert engine.asked == []
    assert said.status == 2
    assert said.err.count("\n") == 1
    assert address in said.err
    assert "listens there already" in said.err


@pytest.mark.parametrize("flags", [("--listen", "0.0.0.0:9180"), ("--metrics", "-")])
def test_what_is_refused_ends_it_before_anything_starts(call: Caller, tmp_path: Path, flags: tuple[str, str]) -> None:
    with engine_with("a") as engine:
        said = call("watch", "-H", engine.url, "--policy", str(policy(tmp_path)), *flags)
        assert engine.asked == []
    assert (said.status, said.out) == (2, "")
    assert flags[0] in said.err
