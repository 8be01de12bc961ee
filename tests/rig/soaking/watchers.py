"""A watcher in place of those who sweep, that is ended from outside now and then and begins again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.rig.soaking.sweepers import LIMITS, Told

WATCH = """
[watch]
sweep = "every 10s"
splay = "0s"
settle = "0s"
backoff = "5s"
"""
"""For the policy of the soak: rules as often as there may be any."""
MOST_BYTES = 60_000_000
_MEAN_SECONDS = 60.0
_PATIENCE = 120.0
_ENDS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


class Watching:
    """Has one watcher run until it is told to stop."""

    def __init__(
        self,
        url: str,
        flags: Sequence[str],
        environment: Mapping[str, str],
        seed: str,
        told: Told,
        ill: bool,
        log: Path,
    ) -> None:
        """`ill` is whether watchers are ended from outside before that; what they say goes into `log`."""
        self._command = [sys.executable, "-m", "dockersweep", "-H", url, "watch", "--yes-first-time", *LIMITS, *flags]
        self._environment, self._random, self._told, self._ill = dict(environment), random.Random(seed), told, ill
        self._log = log
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch_on)
        self.most_bytes = 0
        """The most memory that any of them had resident."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the watcher that runs, and begin no other."""
        self._over.set()
        self._thread.join()

    def _watch_on(self) -> None:
        while not self._over.is_set():
            self._watch()

    def _watch(self) -> None:
        end = self._random.choice(_ENDS) if self._ill else signal.SIGTERM
        until = time.monotonic() + (self._random.uniform(0.2, 1.8) * _MEAN_SECONDS if self._ill else 1e9)
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            while process.poll() is None and time.monotonic() < until and not self._over.wait(0.5):
                self._measure(process.pid)
            ended_itself = process.returncode
            if ended_itself is None:
                process.send_signal(signal.SIGTERM if self._over.is_set() else end)
            process.wait(_PATIENCE)
        except BaseException:
            process.kill()
            raise
        self._judge(process, ended_itself)

    def _judge(self, process: subprocess.Popen[bytes], ended_itself: int | None) -> None:
        self._told.runs[f"watcher {process.returncode}"] += 1
        said = self._log.read_text(encoding="utf-8", errors="replace")
        fine = (128 + signal.SIGTERM, 128 + signal.SIGINT, -signal.SIGKILL)
        if ended_itself is not None or process.returncode not in fine or "Traceback" in said:
            self._told.problems.append(f"a watcher ended with {process.returncode}: {said[-600:]}")
        if self.most_bytes > MOST_BYTES:
            self._told.problems.append(f"a watcher took {self.most_bytes / 1e6:.0f} MB")

    def _measure(self, pid: int) -> None:
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        except OSError:
            return
        sizes = [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS")]
        self.most_bytes = max(self.most_bytes, *sizes, 0)
