"""Runs dockersweep many times for the price of one start: a process that has imported it all forks for each run.

The fork ends as any process does, with the threads that it has and what is to be done at the end; but it does not take
its modules apart, for which it would have to copy all the memory that it shares.

    python -m tests.rig.preloaded
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import dockersweep
from tests.rig.fake_engine import fake_engine
from tests.rig.running import Run

_PATIENCE = 120


@dataclass(frozen=True)
class Timed(Run):
    """A run, the process that it was, and how many seconds it took."""

    pid: int
    seconds: float


class Preloaded:
    """The process that forks; a context manager. One run at a time: others wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="dsw-runs-")
        command = [sys.executable, "-m", "tests.rig.preloaded"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # It ends when nobody can ask it for anything more.
        self._process.communicate(timeout=_PATIENCE)
        self._folder.cleanup()

    def warm(self, *arguments: str) -> None:
        """Run it once in the process that forks, so that no fork has to find out what every run has to."""
        assert self._ask({"warm": arguments})["status"] == 0

    def run(self, *arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> Timed:
        """Run dockersweep with these arguments; it must end within two minutes."""
        given, stdout, stderr = (Path(self._folder.name, name) for name in ("stdin", "stdout", "stderr"))
        asked = {
            "arguments": arguments,
            "environment": {**os.environ, **(environment or {})},
            "folder": os.getcwd(),
            "streams": [str(given), str(stdout), str(stderr)],
        }
        with self._lock:
            given.write_text(stdin, encoding="utf-8")
            begun = time.monotonic()
            told = self._ask(asked)
            seconds = time.monotonic() - begun
            status = os.waitstatus_to_exitcode(told["status"])
            said = stderr.read_text()
            assert "Traceback" not in said, said
            return Timed(status, stdout.read_text(), said, told["pid"], seconds)

    def _ask(self, what: Mapping[str, object]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def _serve() -> None:
    for module in pkgutil.walk_packages(dockersweep.__path__, "dockersweep."):
        # What cannot be imported fails in the run that needs it.
        with contextlib.suppress(ImportError):
            if module.name != "dockersweep.__main__":
                importlib.import_module(module.name)
    _warm_up()
    for line in sys.stdin:
        asked = json.loads(line)
        child = 0
        if "warm" in asked:
            status = _warm(asked["warm"])
        else:
            child = os.fork()
            if child == 0:
                _end(_one(asked))
            _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps({"status": status, "pid": child}) + "\n")
        sys.stdout.flush()


def _warm_up() -> None:
    """Run some verbs, so that no fork has to import what they import when they need it, or to find out what types are
    like."""
    with fake_engine() as engine:
        for words in (("plan",), ("scan", "--format", "json"), ("report",)):
            _warm(["-H", engine.url, *words, "--no-ledger"])


def _warm(arguments: list[str]) -> int:
    from dockersweep.cli import main

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status = main(arguments)
    # What is here for good need not be gone through, and so copied, by each fork.
    gc.freeze()
    return status


def _one(asked: Mapping[str, Any]) -> int:
    from dockersweep.cli import main

    signal.alarm(_PATIENCE)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    given, stdout, stderr = asked["streams"]
    os.dup2(os.open(given, os.O_RDONLY), 0)
    for number, path in ((1, stdout), (2, stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    # What the process that forks has read ahead is not for us.
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it lives as long as the process.
    return main(asked["arguments"])


def _end(status: int) -> NoReturn:
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _serve()
