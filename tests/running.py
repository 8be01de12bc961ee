"""Runs dockersweep as its users do: as a process, with an environment of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Run:
    """How a run of dockersweep ended, and what it said."""

    status: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """Return what it wrote to standard output, as JSON."""
        return json.loads(self.stdout)


def dockersweep(*arguments: str, host: str | None = None, stdin: str = "", **environment: str) -> Run:
    """Run dockersweep against `host`; it must end within two minutes, without a traceback."""
    command = [sys.executable, "-m", "dockersweep", *(["-H", host] if host else []), *arguments]
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Run(done.returncode, done.stdout, done.stderr)
