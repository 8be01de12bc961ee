"""Runs dockersweep as its users do: as a process, with an environment of its own, which is forked from one that has
imported it all already.

Whatever a run asks of an engine that tests have started is held against what it planned: see `tests.rig.traffic`.
"""

import atexit
import json
import math
import os
import pty
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.rig.recorder import Recording, recorder_at
from tests.rig.traffic import REMOVING, strays, verb_of

if TYPE_CHECKING:
    from tests.rig.preloaded import Preloaded

_PATIENCE = 120


@dataclass(frozen=True)
class Run:
    """How a run of dockersweep ended, and what it said."""

    status: int
    stdout: str
    stderr: str

    @property
    def beside_warnings(self) -> str:
        """What it said on standard error but for the warnings of a scan."""
        return "".join(line for line in self.stderr.splitlines(keepends=True) if not line.startswith("Warning: "))

    def json(self) -> Any:
        """Return what it wrote to standard output, as JSON."""
        return json.loads(self.stdout)


def dockersweep(
    *arguments: str, host: str | None = None, stdin: str = "", first_time: bool = True, **environment: str
) -> Run:
    """Run dockersweep against `host`; it must end within two minutes, without a traceback.

    An engine that it has never seen is none of its concern, unless `first_time` is false.
    """
    verb = verb_of(arguments)
    removes = verb in REMOVING and not {"-n", "--dry-run"} & set(arguments)
    flags = unasked(arguments) if first_time else []
    recorder = recorder_at(host)
    watching = nullcontext() if recorder is None else recorder.recording()
    with watching as recording, tempfile.TemporaryDirectory(prefix="dsw-audit-") as folder:
        log = Path(folder, "log")
        logs = recorder is not None and removes and "--audit-log" not in arguments
        if logs:
            flags += ["--audit-log", str(log)]
        pid, run = _run([*(["-H", host] if host else []), *arguments, *flags], stdin, environment)
        if recording is not None:
            _judge(recording, pid, verb, rows_of(log) if logs else None)
    return run


def unasked(arguments: Sequence[str]) -> list[str]:
    """Return the flags that make a removal go ahead on an engine that was never seen, where a test means one."""
    means_it = verb_of(arguments) == "apply" or bool({"-y", "--yes"} & set(arguments))
    asks = verb_of(arguments) in REMOVING and means_it and "--yes-first-time" not in arguments
    return ["--yes-first-time"] if asks else []


def rows_of(log: Path) -> list[Mapping[str, Any]]:
    """Return the removals that an audit log tells of; there is none where nothing was planned."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [row for row in map(json.loads, lines) if "status" in row]


def _run(words: Sequence[str], stdin: str, environment: Mapping[str, str]) -> tuple[int, Run]:
    if any(name.startswith(("PYTHON", "LC_", "LANG")) for name in environment):
        return _started(words, stdin, environment)
    done = preloaded().run(*words, stdin=stdin, environment=environment)
    return done.pid, done


def _started(words: Sequence[str], stdin: str, environment: Mapping[str, str]) -> tuple[int, Run]:
    """Run it as a process that has everything before it, because a fork is past what Python asks when it starts."""
    command = [sys.executable, "-m", "dockersweep", *words]
    with subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(stdin, timeout=_PATIENCE)
        except BaseException:
            process.kill()
            raise
    assert "Traceback" not in stderr, stderr
    return process.pid, Run(process.returncode, stdout, stderr)


@cache
def preloaded(number: int = 0) -> "Preloaded":
    """The process that runs dockersweep, once at a time, for all tests of this process; it ends with it.

    Each number has another, for runs at the same time.
    """
    from tests.rig.preloaded import Preloaded

    process = Preloaded().__enter__()
    atexit.register(process.__exit__, None, None, None)
    return process


def _judge(recording: Recording, pid: int, verb: str | None, rows: list[Mapping[str, Any]] | None) -> None:
    """Others may ask the same engine meanwhile; who asks from afar is known only as us, who ask nothing ourselves."""
    own = [request for request in recording.requests if request.pid in (pid, os.getpid())]
    wrong = list(strays(own, verb, rows))
    assert not wrong, "\n".join(wrong)


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start dockersweep as a process of its own, and go on."""
    command = [sys.executable, "-m", "dockersweep", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))


def on_a_terminal(arguments: list[str], answer: str, seconds: float = 30) -> tuple[int, str]:
    """Run on a terminal of 80 columns, answer the question, and return the exit status and all that was shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(COLUMNS="80", TERM="xterm")
        os.execv(sys.executable, [sys.executable, "-m", "dockersweep", *arguments])
    shown, answered_at, deadline = b"", -math.inf, time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if select.select([terminal], [], [], 0.2)[0]:
                shown += os.read(terminal, 65536)
        except OSError:
            break
        # The end of a text is lost where it comes while the terminal changes its mode: it is said again, as people do.
        if b"[y/N]" in shown and time.monotonic() > answered_at + 2:
            os.write(terminal, answer.encode())
            answered_at = time.monotonic()
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()
