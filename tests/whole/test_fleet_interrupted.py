"""`fleet` that a signal ends: nothing is left of it, and it says so by its status."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.rig.document_folders import report_of, write

FOREVER = "SELECT count(*) FROM range(100000000000) a, range(100000) b"


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (signal.SIGINT, 130, "dockersweep: interrupted\n"),
        # Each takes a second of all processors.
        pytest.param(signal.SIGTERM, 143, "", marks=pytest.mark.programs),
        pytest.param(signal.SIGHUP, 129, "", marks=pytest.mark.programs),
    ],
    ids=lambda value: value.name if isinstance(value, signal.Signals) else "",
)
def test_a_query_that_takes_too_long_can_be_ended(tmp_path: Path, number: int, status: int, said: str) -> None:
    write(tmp_path / "documents", "a.json", report_of("a"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-m", "dockersweep", "fleet", "query", FOREVER, str(tmp_path / "documents")]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            deadline = time.monotonic() + 60
            while not any(temporary.glob("*/warehouse.duckdb")) and time.monotonic() < deadline:
                time.sleep(0.05)
            # Long enough for the query to have begun.
            time.sleep(1)
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (status, "", said)
    assert list(temporary.iterdir()) == []
