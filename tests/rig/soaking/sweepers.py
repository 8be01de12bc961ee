"""Two who sweep one engine, each as if alone; some of their runs come to a bad end."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_PATIENCE = 180.0
LIMITS = ("--engine-timeout", "10s", "--removal-timeout", "20s")
_ENDS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_ALWAYS_FINE = {0, 3}
_BY_SIGNAL = {130, 143, 129}


@dataclass
class Told:
    """How the runs of all sweepers ended."""

    runs: Counter[str] = field(default_factory=Counter)
    """By exit status, and by the signal that was sent."""
    pids: set[int] = field(default_factory=set)
    killed: set[int] = field(default_factory=set)
    """Those that ended without a word."""
    problems: list[str] = field(default_factory=list)
    handles: int = 0
    """The most file handles that any of them had open."""


class Sweeper:
    """Sweeps every few seconds until it is told to stop."""

    def __init__(
        self, url: str, flags: Sequence[str], environment: Mapping[str, str], seed: str, told: Told, ill: bool
    ) -> None:
        """`ill` is whether some runs are ended from outside."""
        self._command = [sys.executable, "-m", "dockersweep", "-H", url, "sweep", "--yes", "--yes-first-time"]
        self._command += [*LIMITS, *flags]
        self._environment, self._random, self._told, self._ill = dict(environment), random.Random(seed), told, ill
        self._over = threading.Event()
        self._disturbed_at = 0.0
        self._thread = threading.Thread(target=self._sweep_on)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Let the run under way end, and begin no other."""
        self._over.set()
        self._thread.join()

    def disturbed(self) -> None:
        """The engine was ended just now, or will be: runs may say that it is lost."""
        self._disturbed_at = time.monotonic()

    def _sweep_on(self) -> None:
        while not self._over.wait(self._random.uniform(0.2, 3.0)):
            self._sweep()

    def _sweep(self) -> None:
        end = self._random.choice(_ENDS) if self._ill and self._random.random() < 0.15 else None
        after = self._random.uniform(0.1, 1.5)
        began = time.monotonic()
        with subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            self._told.pids.add(process.pid)
            try:
                try:
                    _, said = process.communicate(timeout=after if end else _PATIENCE)
                    end = None
                except subprocess.TimeoutExpired:
                    process.send_signal(end or signal.SIGKILL)
                    _, said = process.communicate(timeout=_PATIENCE)
            except BaseException:
                process.kill()
                raise
        self._judge(process.pid, process.returncode, end, said, began)

    def _judge(self, pid: int, status: int, end: signal.Signals | None, said: str, began: float) -> None:
        self._told.runs[f"{status}{f' after {end.name}' if end else ''}"] += 1
        if status == -signal.SIGKILL:
            self._told.killed.add(pid)
        lines = said.strip().splitlines()
        if "Traceback" in said or not self._is_fine(status, end, said, began):
            self._told.problems.append(f"run {pid} ended with {status} ({end}): {' / '.join(lines)[-400:]}")

    def _is_fine(self, status: int, end: signal.Signals | None, said: str, began: float) -> bool:
        if status in _ALWAYS_FINE:
            return True
        if status == 4:
            return any(int(number) in self._told.pids for number in re.findall(r"\d+", said))
        if status == 5:
            return self._ill
        return end is not None and (status in _BY_SIGNAL or status == -end)
