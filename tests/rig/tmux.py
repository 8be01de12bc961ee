"""A terminal that tests look at and type into: a tmux of their own, which nobody else can reach."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_PATIENCE = 60.0
_PAUSE = 0.05
_OUTER = ("TMUX", "COLUMNS", "LINES", "NO_COLOR")
"""What tells of the terminal that the tests are run in."""


class Terminal:
    """A screen on which a shell has run one command; its exit status is the last line."""

    def __init__(self, socket: Path) -> None:
        """`socket` is where its tmux listens."""
        self._socket = socket

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-f", "/dev/null", "-S", str(self._socket), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    @property
    def lines(self) -> list[str]:
        """What is seen, line by line."""
        return self._tmux("capture-pane", "-p", "-t", "test").rstrip("\n").split("\n")

    @property
    def coloured(self) -> str:
        """What is seen, with the colours as a terminal is told them."""
        return self._tmux("capture-pane", "-p", "-e", "-t", "test")

    @property
    def text(self) -> str:
        """The same as running text, without the borders of dialogs."""
        return " ".join(" ".join(line.strip(" |") for line in self.lines).split())

    def press(self, *keys: str) -> None:
        """Type keys, by the names that tmux has for them."""
        self._tmux("send-keys", "-t", "test", *keys)

    def type(self, text: str) -> None:
        """Type a text as it stands."""
        self._tmux("send-keys", "-t", "test", "-l", text)

    def resize(self, columns: int, lines: int) -> None:
        """Make the screen larger or smaller."""
        self._tmux("resize-window", "-t", "test", "-x", str(columns), "-y", str(lines))

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the command."""
        shell = self._tmux("display", "-p", "-t", "test", "#{pane_pid}").strip()
        os.kill(int(Path("/proc", shell, "task", shell, "children").read_text()), number)

    @property
    def is_left(self) -> bool:
        """Whether the terminal is as it was before a full screen."""
        state = self._tmux("display", "-p", "-t", "test", "#{alternate_on}#{mouse_any_flag}#{cursor_flag}")
        return state.strip() == "001"

    def wait_for(self, what: str | Callable[[list[str]], bool]) -> list[str]:
        """Wait until a text is seen, or until something holds of the lines; return the lines."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            lines = self.lines
            if what(lines) if callable(what) else what in self.text:
                return lines
            assert time.monotonic() < deadline, "\n".join([f"never seen: {what}", *lines])
            time.sleep(_PAUSE)

    def status(self) -> int:
        """Wait until the command has ended, and return its exit status."""
        lines = self.wait_for(lambda lines: any(line.startswith("status ") for line in lines))
        [line] = [line for line in lines if line.startswith("status ")]
        return int(line.split()[1])


@contextmanager
def terminal(
    *words: str,
    columns: int = 80,
    lines: int = 24,
    environment: Mapping[str, str] | None = None,
    out: Path | None = None,
) -> Iterator[Terminal]:
    """Run dockersweep on a terminal of that size, with what is set in the environment besides; its standard
    output may go to a file."""
    with tempfile.TemporaryDirectory(prefix="dsw-tmux-") as folder:
        screen = Terminal(Path(folder, "tmux.sock"))
        variables = [f"{name}={value}" for name, value in (environment or {}).items()]
        command = shlex.join(["env", *variables, sys.executable, "-m", "dockersweep", *words])
        # The shell stays, so that what the command leaves on the screen can be read.
        to = f" >{shlex.quote(str(out))}" if out else ""
        script = f'{command}{to}; echo "status $?"; exec cat'
        own = {name: value for name, value in os.environ.items() if name not in _OUTER}
        size = ["-x", str(columns), "-y", str(lines)]
        start = ["tmux", "-f", "/dev/null", "-S", str(screen._socket), "new-session", "-d", "-s", "test", *size]
        subprocess.run([*start, "sh", "-c", script], env=own, check=True)
        try:
            yield screen
        finally:
            screen._tmux("kill-server")
