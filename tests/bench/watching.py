"""What a watcher takes: memory after 100,000 events and after as many again, processor time while nothing happens and
beside dockerd while containers come and go as fast as it can, and how soon many events at once are in the ledger.

The many events come from a server that sends what Docker would of CI jobs; dockerd would need minutes for them.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue
from urllib.parse import parse_qs, urlsplit

from dockersweep.ledger import FILE_NAME
from tests.bench.table import Row, write_table
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import kind, parser_with_engine
from tests.rig.engines.litter import Litter
from tests.rig.fake_engine import FakeEngine, Handler, Reply, fake_engine

MOST_BYTES = 60_000_000
MOST_GROWTH_BYTES = 2_000_000
IDLE_SHARE, BUSY_SHARE = 0.002, 0.10
AT_ONCE, AT_ONCE_SECONDS = 10_000, 2.0
CONTAINERS, CREATORS = 5_000, 8
_TICKS = os.sysconf("SC_CLK_TCK")
_PATIENCE = 300.0
_POLICY = 'version = 1\nremoves_nothing = true\n[watch]\nsweep = "never"\n'


class Feed:
    """The events of a Docker that runs CI jobs, as fast as they are read."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[bytes | None] = SimpleQueue()
        self._last: bytes = b""
        self._number = 0

    def answer(self, handler: Handler) -> Reply | None:
        """Answer GET /events."""
        asked = parse_qs(urlsplit(handler.path).query)
        if "until" in asked:
            return 200, self._last
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        # At the end the watcher goes first.
        with suppress(BrokenPipeError, ConnectionResetError):
            while (data := self._waiting.get()) is not None:
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        return None

    def send(self, count: int) -> None:
        """Send so many events of jobs that differ in everything."""
        lines: list[bytes] = []
        for place in range(count):
            if place % 6 == 0:
                self._number += 1
            action = ("create", "start", "die", "destroy")[place % 4]
            attributes = {"image": f"ci/job:{self._number % 50}", "name": f"job-{self._number}", "labels": "x" * 200}
            event = {
                "Type": "container",
                "Action": action,
                "Actor": {"ID": f"{self._number:064x}", "Attributes": attributes},
                "timeNano": time.time_ns(),
            }
            lines.append(json.dumps(event).encode() + b"\n")
            if len(lines) == 500:
                self._flush(lines)
        self._flush(lines)

    def end(self) -> None:
        """End the stream."""
        self._waiting.put(None)

    def _flush(self, lines: list[bytes]) -> None:
        self._last = b"".join(lines[-200:])
        self._waiting.put(b"".join(lines))
        lines.clear()


@contextmanager
def watcher(url: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A watcher of its own beside an engine, with its state in a folder, and with all that takes memory."""
    policy = folder / "policy.toml"
    policy.write_text(_POLICY, encoding="utf-8")
    published = ("--listen", f"unix:{folder}/metrics.sock", "--metrics", str(folder / "metrics.prom"))
    words = [sys.executable, "-m", "dockersweep", "-H", url, "watch", "--policy", str(policy), *published]
    environment = {**os.environ, "DOCKERSWEEP_STATE_DIR": str(folder / "state")}
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(words, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def resident(pid: int) -> int:
    """The resident bytes of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def processor_seconds(pid: int) -> float:
    """The processor time that a process has taken, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def recorded(folder: Path, action: str) -> int:
    """How many events of an action are in the ledger, or were made uses of by a scan; 0 before there is one."""
    try:
        with closing(sqlite3.connect(f"file:{folder}/state/{FILE_NAME}?mode=ro", uri=True)) as database:
            row = database.execute("SELECT sum(times) FROM pending_events WHERE action = ?", (action,)).fetchone()
    except sqlite3.Error:
        return 0
    return int(row[0] or 0)


def wait_until_connected(folder: Path) -> None:
    """Wait until a watcher has read an engine's events once."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with closing(sqlite3.connect(f"file:{folder}/state/{FILE_NAME}?mode=ro", uri=True)) as database:
                if database.execute("SELECT count(*) FROM event_readings").fetchone() == (1,):
                    return
        except sqlite3.Error:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError((folder / "log").read_text(encoding="utf-8"))
        time.sleep(0.01)


def memory_rows(events: int, folder: Path) -> Iterator[Row]:
    """Memory after many events and as many again, and how soon the first ones are in the ledger."""
    feed = Feed()
    with fake_engine(events=feed.answer) as engine, watcher(engine.url, folder) as process:
        try:
            wait_until_connected(folder)
            time.sleep(2)
            yield _at_once(feed, folder)
            yield Row("resident, nothing received but 10,000 at once", resident(process.pid), aim=MOST_BYTES, unit="MB")
            _send_all(feed, events, engine)
            first = resident(process.pid)
            yield Row(f"resident after {events:,} events", first, aim=MOST_BYTES, unit="MB")
            _send_all(feed, events, engine)
            second = resident(process.pid)
            yield Row(
                f"resident after as many again (+{(second - first) / 1e6:.1f} MB)",
                second,
                aim=first + MOST_GROWTH_BYTES,
                unit="MB",
            )
        finally:
            feed.end()


def _at_once(feed: Feed, folder: Path) -> Row:
    before, began = recorded(folder, "create"), time.monotonic()
    feed.send(AT_ONCE)
    while recorded(folder, "create") - before < AT_ONCE // 4:
        if time.monotonic() - began > 30:
            break
        time.sleep(0.02)
    return Row(f"{AT_ONCE:,} events at once in the ledger", time.monotonic() - began, aim=AT_ONCE_SECONDS)


def _send_all(feed: Feed, events: int, engine: FakeEngine) -> None:
    """Send events over some time, as scans fold them meanwhile."""
    for _ in range(events // 5_000):
        feed.send(5_000)
        time.sleep(0.5)
    time.sleep(3)


def processor_rows(engine: Engine, containers: int, folder: Path, idle_seconds: float) -> Iterator[Row]:
    """Processor time while nothing happens, and beside dockerd's own while containers come and go."""
    litter = Litter(engine)
    image = litter.image("app:1", layers={"app": 1000}, runnable=True)
    with watcher(f"unix://{engine.socket}", folder) as process:
        wait_until_connected(folder)
        time.sleep(5)
        before = processor_seconds(process.pid)
        time.sleep(idle_seconds)
        share = (processor_seconds(process.pid) - before) / idle_seconds
        yield Row(f"share of a core while nothing happens ({100 * share:.2f} %)", share, aim=IDLE_SHARE)
        dockerd = _listener(engine)
        own, theirs, began = processor_seconds(process.pid), processor_seconds(dockerd), time.monotonic()
        _churn(engine, image, containers)
        seconds = time.monotonic() - began
        time.sleep(2)
        own, theirs = processor_seconds(process.pid) - own, processor_seconds(dockerd) - theirs
        what = f"processor time for {containers:,} containers in {seconds:.0f} s"
        yield Row(what, own, "the engine", theirs, BUSY_SHARE)
        yield Row("resident after them", resident(process.pid), aim=MOST_BYTES, unit="MB")
    yield _coverage(folder)


def _listener(engine: Engine) -> int:
    """The pid of the engine itself, which is not that of what started it."""
    with socket.socket(socket.AF_UNIX) as connected:
        connected.connect(str(engine.socket))
        size = struct.calcsize("3i")
        pid: int = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[0]
    return pid


def _churn(engine: Engine, image: str, containers: int) -> None:
    body = {"Image": image, "HostConfig": {"NetworkMode": "none"}}

    def create(count: int) -> None:
        for _ in range(count):
            made = engine.wire.call("POST", "/containers/create", body)["Id"]
            engine.wire.raw("DELETE", f"/containers/{made}")

    threads = [threading.Thread(target=create, args=(containers // CREATORS,)) for _ in range(CREATORS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _coverage(folder: Path) -> Row:
    """How many gaps there are within what was watched."""
    with closing(sqlite3.connect(folder / "state" / FILE_NAME)) as database:
        spans = database.execute("SELECT begins, ends FROM watched ORDER BY begins").fetchall()
    lost = sum(after[0] - before[1] for before, after in pairwise(spans))
    return Row(f"time that is not covered, in {len(spans)} spans", lost, aim=0)


def main(arguments: Sequence[str]) -> int:
    """Print the table; return 1 where an aim is missed."""
    given = _parser().parse_args(arguments)
    rows: list[Row] = []
    with ExitStack() as stack:
        first, second = (Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dsw-bench-"))) for _ in range(2))
        rows += memory_rows(given.events, first)
        engine = stack.enter_context(Engine(kind(given.engine)))
        rows += processor_rows(engine, given.containers, second, given.idle)
    return write_table(rows)


def _parser() -> argparse.ArgumentParser:
    parser = parser_with_engine(
        "tests/bench/watch",
        "Run a watcher beside an engine, and beside a server that sends many events. Prints a Markdown table, and "
        "fails where an aim is missed.",
    )
    parser.add_argument("--events", type=int, default=100_000, help="default: %(default)s")
    parser.add_argument("--containers", type=int, default=CONTAINERS, help="default: %(default)s")
    parser.add_argument(
        "--idle", type=float, default=60.0, help="seconds in which nothing happens; default: %(default)s"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
