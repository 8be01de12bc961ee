"""A small Debian machine of its own in namespaces, with systemd as its first process, and cron."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.rig.engines import cgroups, keeper, rundir
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import CannotDo
from tests.rig.engines.roots import Root

_BOOT = Path(__file__).with_name("boot.sh")
_NAMESPACES = ("--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup")
_JOIN_CGROUP = 'echo $$ >"$0/cgroup.procs"; exec "$@"'
_PACKAGES = ("systemd", "systemd-sysv", "cron", "python3", "busybox-static")
_PATIENCE = 60.0
_CLEAN = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}
_LAUNCHER = """\
#!/usr/bin/python3 -I
import sys

sys.path[:0] = ["/opt/dockersweep/checkout", "/opt/dockersweep/packages"]
from dockersweep.cli import main

sys.exit(main())
"""


class MachineError(Exception):
    """A machine did not start or did not end."""


class Machine:
    """A machine that runs for as long as this context; its processes, mounts, network and cgroups end with it, or us.

    It has dockersweep at /usr/local/bin, as this checkout has it, and an engine of the tests as its own.
    """

    def __init__(self, engine: Engine) -> None:
        """Name the engine that it gets; nothing runs yet. Raises CannotDo where there can be no such machine."""
        self._root = _root()
        self._engine = engine
        self._run: rundir.RunDirectory | None = None
        self._keeper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        root = self._root.build()
        rundir.sweep()
        self._run = rundir.RunDirectory()
        self._keeper = self._launch(self._run, root)
        try:
            self._await_systemd()
            launcher = self.path("/usr/local/bin/dockersweep")
            launcher.write_text(_LAUNCHER)
            launcher.chmod(0o755)
            self.connect()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Its first process, whose end is the end of all of them."""
        return int((self._run_directory / keeper.PID_FILE).read_text())

    def path(self, inside: str) -> Path:
        """Where we find a file of its: no link in there may be absolute, or it leads into our own root."""
        return Path(f"/proc/{self.pid}/root{inside}")

    def run(self, *command: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command there, as root after a login."""
        into = ["nsenter", "--target", str(self.pid), "--all", "env", "-i"]
        told = [f"{name}={value}" for name, value in (_CLEAN | variables).items()]
        done = subprocess.run(
            [*into, *told, *command],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        if check and done.returncode != 0:
            raise MachineError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def close(self) -> None:
        """End it and remove everything that it was."""
        if self._run is None or self._keeper is None:
            return
        deadline = time.monotonic() + _PATIENCE
        while self._keeper.poll() is None:
            if time.monotonic() > deadline:
                raise MachineError(f"the machine does not end:\n{self._log}")
            # It may not yet have told who it is, or have ended, and the keeper cleans up.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.02)
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        self._run.remove()
        self._run = self._keeper = None

    def connect(self) -> None:
        """Have its engine where a machine has one."""
        self.path("/run/docker.sock").symlink_to(Path("/run/engine", self._engine.recorder.path.name))

    def disconnect(self) -> None:
        """Have no engine."""
        self.path("/run/docker.sock").unlink()

    @property
    def _run_directory(self) -> Path:
        if self._run is None:
            raise MachineError("the machine has not been started")
        return self._run.path

    @property
    def _log(self) -> str:
        return (self._run_directory / "log").read_text(errors="replace")

    def _launch(self, run: rundir.RunDirectory, root: Path) -> subprocess.Popen[bytes]:
        cgroups.make(run.name)
        command = [
            # The whole of it ends when the keeper, its parent, does; see keeper.py.
            *("setpriv", "--pdeathsig", "KILL"),
            *("sh", "-c", _JOIN_CGROUP, str(cgroups.unified() / run.name)),
            *("unshare", *_NAMESPACES, "--fork", "--kill-child", "--propagation", "private"),
            *("sh", str(_BOOT), str(root), str(run.path), sysconfig.get_path("platlib"), str(keeper.CHECKOUT)),
            str(self._engine.run_directory),
        ]
        return keeper.start(run, command, _CLEAN)

    def _await_systemd(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not self._answers():
            if (self._keeper and self._keeper.poll() is not None) or time.monotonic() > deadline:
                raise MachineError(f"the machine does not start:\n{self._log}")
            time.sleep(0.02)
        self.run("systemctl", "is-system-running", "--wait", check=False)

    def _answers(self) -> bool:
        # Before it has become systemd, what it sees is still our own root.
        try:
            is_systemd = Path(f"/proc/{self.pid}/comm").read_text() == "systemd\n"
            return is_systemd and self.path("/run/systemd/private").exists()
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return False


def _root() -> Root:
    """The release of this machine, whose Python takes the packages that are installed for ours."""
    release = platform.freedesktop_os_release()
    if sys.base_prefix != "/usr" or release["ID"] != "debian" or "VERSION_CODENAME" not in release:
        raise CannotDo("the Python of the tests is not that of a Debian release")
    return Root(release["VERSION_CODENAME"], _PACKAGES)
