"""A `dockersweep watch` of a test: its events are awaited, and it ends with the test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

PATIENCE = 60.0


class RunningWatcher:
    """One watcher, and the events that it has told so far."""

    def __init__(
        self, *arguments: str, environment: Mapping[str, str] | None = None, python: tuple[str, ...] = ()
    ) -> None:
        """Start it, with events in JSON; `python` are flags of the interpreter."""
        command = [sys.executable, *python, "-m", "dockersweep", "watch", "--log-format", "json", *arguments]
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=None if environment is None else {**os.environ, **environment},
        )  # fmt: skip
        self.events: list[dict[str, Any]] = []
        self.others: list[str] = []
        """Lines that are no events."""
        self.at: list[float] = []
        """When each event came, in seconds of the monotonic clock."""
        self._came = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._came:
                try:
                    self.events.append(json.loads(line))
                    self.at.append(time.monotonic())
                except ValueError:
                    self.others.append(line)
                self._came.notify_all()

    def until(self, event: str, after: int = 0, **fields: Any) -> dict[str, Any]:
        """Return the first event of that name, with these fields, that came after so many others."""
        deadline = time.monotonic() + PATIENCE
        with self._came:
            while True:
                for told in self.events[after:]:
                    if told["event"] == event and all(told.get(name) == value for name, value in fields.items()):
                        return told
                assert self._came.wait(deadline - time.monotonic()), f"no {event} {fields} in {self.told}"

    @property
    def told(self) -> str:
        """All that it told, for failures."""
        return "".join(f"\n{event}" for event in self.events) + "".join(self.others)

    @property
    def count(self) -> int:
        """How many events came."""
        return len(self.events)

    def send(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; return its exit status."""
        self.send(number)
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status

    def close(self) -> None:
        """End it, however it is."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(PATIENCE)
        for pipe in (self.process.stderr, self.process.stdout):
            assert pipe is not None
            pipe.close()


@contextmanager
def watching(*arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[RunningWatcher]:
    """Run a watcher as long as this lasts."""
    watcher = RunningWatcher(*arguments, environment=environment)
    try:
        yield watcher
    finally:
        watcher.close()
