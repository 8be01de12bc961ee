"""docker's own client, of each release that we have, with our program as its plugin."""

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.rig.engines.roots import BOOKWORM_DOCKER, FORKY_DOCKER, TRIXIE_DOCKER, Root
from tests.rig.installed_copy import install_copy
from tests.rig.running import Run

CLIENTS: dict[str, Root] = {"20.10": BOOKWORM_DOCKER, "26.1": TRIXIE_DOCKER, "28.5": FORKY_DOCKER}
_PATIENCE = 60


@dataclass(frozen=True)
class DockerClient:
    """A client, with a configuration that knows nothing but the plugin."""

    program: Path
    config: Path
    version: str

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Return that of a call: ours, this configuration, and these variables."""
        return {**os.environ, "DOCKER_CONFIG": str(self.config), "PATH": f"{self.program.parent}:/usr/bin:/bin"} | dict(
            variables
        )

    def __call__(self, *words: str, **variables: str) -> Run:
        """Run it to its end, without a terminal."""
        done = subprocess.run(
            [self.program, *words],
            env=self.environment(variables), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=_PATIENCE, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return Run(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        """Start it in a process group of its own, and go on."""
        return subprocess.Popen(
            [self.program, *words],
            env=self.environment(variables), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, process_group=0,
        )  # fmt: skip

    def on_a_terminal(self, typed: str, when: Callable[[str], bool], *words: str, **variables: str) -> tuple[int, str]:
        """Run it on a terminal of its own, type once such is shown, and return the status and all that was shown."""
        pid, terminal = pty.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            variables |= {"COLUMNS": "80", "TERM": "xterm"}
            os.execve(self.program, ["docker", *words], self.environment(variables))
        shown, is_typed, deadline = b"", False, time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            try:
                if select.select([terminal], [], [], 0.05)[0]:
                    shown += os.read(terminal, 65536)
            except OSError:
                break
            if not is_typed and when(shown.decode(errors="replace")):
                os.write(terminal, typed.encode())
                is_typed = True
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


def install_client(version: str, folder: Path) -> DockerClient:
    """Return the client of that version, with the plugin linked as `dockersweep docker-plugin install` does it."""
    programs, config = install_copy(folder / "installed"), folder / "docker"
    subprocess.run(
        [programs / "dockersweep", "docker-plugin", "install"],
        env=os.environ | {"DOCKER_CONFIG": str(config)}, capture_output=True, check=True, timeout=_PATIENCE,
    )  # fmt: skip
    program = folder / "bin" / "docker"
    program.parent.mkdir()
    # By itself: what else lies beside it may need another C library.
    program.symlink_to(CLIENTS[version].build() / "usr/bin/docker")
    return DockerClient(program, config, version)
