"""The progress bar: on a terminal only, moving while a removal takes long, with an estimate."""

import itertools
import os
import pty
import re
import subprocess
import sys
import termios
import threading
import time

from tests.rig.fake_containers import with_containers
from tests.rig.fake_engine import Handler, Reply, fake_engine

SECONDS = 4.0


def test_the_bar_moves_every_second_while_one_removal_takes_long() -> None:
    with fake_engine() as engine:
        with_containers(engine, *(f"c{number:02}" for number in range(10)))
        for number in range(10):
            engine.replies[f"/containers/c{number:02}"] = (204, b"")
        first = threading.Event()

        def slow(handler: Handler) -> Reply:
            first.set()
            handler.server.engine.release.wait(SECONDS)
            return 204, b""

        engine.replies["/containers/c09"] = slow
        shown = on_a_terminal(
            "-H", engine.url, "sweep", "--yes", "--yes-first-time", "--no-ledger", "--older-than", "0s"
        )
        assert first.is_set()
    bars = [(at, text) for at, text in shown if "removing:" in text]
    # It begins after a second, and then its clock goes on although nothing ends.
    assert len({round(at) for at, _ in bars}) >= int(SECONDS) - 1
    assert any(re.search(r"9/10 \[00:0\d<00:", text) for _, text in bars), bars[-1:]
    gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(bars)]
    assert max(gaps) < 1.5


def on_a_terminal(*words: str) -> list[tuple[float, str]]:
    """Run dockersweep with its standard error on a terminal; return what that showed, and when, in seconds."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    process = subprocess.Popen(
        [sys.executable, "-m", "dockersweep", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    shown: list[tuple[float, str]] = []
    began = time.monotonic()
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:
            # The other end of a terminal is closed so.
            break
        if not data:
            break
        shown.append((time.monotonic() - began, data.decode(errors="replace")))
    os.close(ours)
    assert process.wait(20) == 0
    return shown
