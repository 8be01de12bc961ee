"""A real engine: started, used, emptied, ended."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from docker import APIClient

from dockersweep.engine.api.throw_away import MARKER_FILE
from tests.rig.engines import cgroups, keeper, launch, rundir
from tests.rig.engines.disks import SYSTEM_CONTAINERD, Mounted, SmallDisk
from tests.rig.engines.kinds import EngineKind
from tests.rig.engines.roots import FORKY_DOCKER
from tests.rig.engines.wipe import NotEmptyError, empty
from tests.rig.engines.wire import RefusalError, Wire
from tests.rig.recorder import Recorder

_PATIENCE = 60.0


class EngineError(Exception):
    """An engine did not start or did not end."""


class Engine:
    """An engine of its own: processes, mounts, network and cgroups end with it, or with us.

    It is used as a context manager, or with `start` and `close`. `stop`, `kill` and `restart` leave its
    data; `close` removes all of it.
    """

    def __init__(
        self,
        kind: EngineKind,
        *,
        options: tuple[str, ...] = (),
        beside: Engine | None = None,
        disks: tuple[SmallDisk, ...] = (),
        system_containerd: bool = False,
        without_packages: bool = False,
    ) -> None:
        """Name an engine, with further options for its command line; nothing runs yet.

        It has a network of its own, or that of a running engine which it is to talk to; a containerd of its own, or
        one that is a service beside it, with what a containerd.toml in the run directory adds to its settings from the
        next start on; and some of its folders on disks of their own, see disks.py. Without packages nothing tells it of
        which its programs are, which takes Podman nearly as long to find out as all else of a plan.
        """
        self.kind = kind
        self.options = options
        """For its command line, from its next start on."""
        self._beside = beside
        self._is_spoiled = False
        self._disks = disks
        self._system_containerd = system_containerd
        self._without_packages = without_packages
        self._mounted: Mounted | None = None
        self._run: rundir.RunDirectory | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        self._api: APIClient | None = None
        self._recorder: Recorder | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Engine {self.kind.name} {'running' if self.running else 'not running'}>"

    # Where it is.

    @property
    def run_directory(self) -> Path:
        """The folder of everything that it keeps."""
        if self._run is None:
            raise EngineError(f"{self.kind.name} has not been started")
        return self._run.path

    @property
    def socket(self) -> Path:
        """The socket that it listens on."""
        return self.run_directory / "engine.sock"

    @property
    def recorder(self) -> Recorder:
        """What stands in front of the socket and writes down all that dockersweep asks for."""
        if self._recorder is None:
            raise EngineError(f"{self.kind.name} has not been started")
        return self._recorder

    @property
    def url(self) -> str:
        """What dockersweep is to call this engine by: its recorder, at one place for as long as there are data."""
        return self.recorder.url

    @property
    def data_root(self) -> Path:
        """Where it keeps images, containers and volumes, as the machine sees it."""
        return self.run_directory / "data"

    @property
    def containerd_folder(self) -> Path:
        """Where the containerd that has its images keeps them, if it is the store of its kind."""
        return Path(SYSTEM_CONTAINERD) if self._system_containerd else self.data_root / "containerd" / "daemon"

    @property
    def log(self) -> str:
        """What it has said so far."""
        return (self.run_directory / "log").read_text(errors="replace")

    @property
    def running(self) -> bool:
        """Whether its processes are there."""
        return self._keeper is not None and self._keeper.poll() is None

    @property
    def pid(self) -> int:
        """The process whose end is the end of everything that the engine started."""
        return int((self.run_directory / keeper.PID_FILE).read_text())

    # Its life.

    def start(self) -> Self:
        """Start it and wait until it answers."""
        if self.running:
            raise EngineError(f"{self.kind.name} is running already")
        self.kind.root.build()
        # Whatever the engine, the client comes from this root.
        FORKY_DOCKER.build()
        if self._run is None:
            rundir.sweep()
            self._run = rundir.RunDirectory()
            self._recorder = Recorder(self.run_directory / "recorded.sock", self.socket)
        self.data_root.mkdir(exist_ok=True)
        if self._mounted is None:
            self._mounted = Mounted(
                self.run_directory, self.data_root, self._disks, system_containerd=self._system_containerd
            )
        # As a boot does: its mounts went with its namespaces.
        shutil.rmtree(launch.run_root(self.run_directory), ignore_errors=True)
        (self.data_root / MARKER_FILE).touch()
        (self.run_directory / keeper.PID_FILE).unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)
        self._keeper = self._launch(self._run)
        try:
            self._await_answer()
            self.recorder.open()
        except BaseException:
            self.close()
            raise
        return self

    def stop(self) -> None:
        """End it as its service manager would, and keep its data."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it and all that it runs without a warning, and keep its data."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it and start it again on the same data."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End it and remove everything that it was."""
        self.kill()
        if self._run is not None:
            run, self._run = self._run, None
            self.recorder.close()
            self._unmount()
            run.remove()

    def spoil(self) -> None:
        """Have the next wipe make a new data root: something lies in this one that the engine does not know."""
        self._is_spoiled = True

    def wipe(self) -> None:
        """Leave it running and empty; the fast way when that works, with a new data root when not."""
        try:
            if self.running and not self._is_spoiled:
                empty(self.wire, self.kind)
                return
        except NotEmptyError:
            pass
        self.kill()
        self._unmount()
        shutil.rmtree(self.data_root)
        for beside in ("networks", "containerd"):
            shutil.rmtree(self.run_directory / beside, ignore_errors=True)
        self._is_spoiled = False
        self.start()

    # Talking to it.

    @property
    def api(self) -> APIClient:
        """A low-level client, for the tests themselves."""
        if self._api is None:
            self._api = APIClient(base_url=f"unix://{self.socket}", version=self.kind.api_version, timeout=60)
        return self._api

    @property
    def wire(self) -> Wire:
        """The plain way to talk to it, for what must be quick."""
        return Wire(self.socket, self.kind.api_version)

    def environment(self) -> dict[str, str]:
        """The environment for a tool that is to work on this engine, with its client on the PATH."""
        return launch.client_environment(self.run_directory, f"unix://{self.socket}")

    def docker(
        self,
        *args: str,
        stdin: str | bytes | None = None,
        check: bool = True,
        variables: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the docker command line against it."""
        given = stdin.encode() if isinstance(stdin, str) else stdin
        words, program = launch.client(*args)
        done = subprocess.run(
            words,
            executable=program,
            env=self.environment() | dict(variables or {}),
            input=b"" if given is None else given,
            capture_output=True,
            check=False,
        )
        told = subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        )
        if check and told.returncode != 0:
            raise EngineError(f"{' '.join(told.args)} ended with {told.returncode}:\n{told.stderr}")
        return told

    # How it is done.

    def _launch(self, run: rundir.RunDirectory) -> subprocess.Popen[bytes]:
        network_of = None if self._beside is None else self._beside.pid
        containerd = ("--containerd", launch.SYSTEM_CONTAINERD_SOCKET) if self._system_containerd else ()
        options = (*containerd, *self.options)
        engine = launch.command(self.kind, run.path, self.socket, self.data_root, options, network_of)
        environment = launch.environment(
            self.kind,
            run.path,
            system_containerd=self._system_containerd,
            without_packages=self._without_packages,
        )
        return keeper.start(run, engine, environment)

    def _unmount(self) -> None:
        if self._mounted is not None:
            self._mounted.close()
            self._mounted = None

    def _await_answer(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not self._answers():
            if not self.running or time.monotonic() > deadline:
                raise EngineError(f"{self.kind.name} does not start:\n{self.log}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            return self.wire.raw("GET", "/_ping") == b"OK"
        except (OSError, http.client.HTTPException, RefusalError):
            return False

    def _end(self, how: signal.Signals) -> None:
        if self._api is not None:
            self._api.close()
            self._api = None
        if self._keeper is None or self._keeper.stdin is None:
            return
        deadline = time.monotonic() + _PATIENCE
        sent = False
        while self.running:
            if time.monotonic() > deadline:
                raise EngineError(f"{self.kind.name} does not end:\n{self.log}")
            sent = sent or self._sent(how)
            cgroups.thaw(self.run_directory.name)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._keeper.wait(0.2)
        self._keeper.stdin.close()
        self._keeper = None
        # Only now, so that who asks meanwhile is broken off by the engine's end and not by ours.
        self.recorder.close()

    def _sent(self, how: signal.Signals) -> bool:
        try:
            os.kill(self.pid, how)
        except FileNotFoundError:
            # It is so young that it has not yet told who it is.
            return False
        except ProcessLookupError:
            # It has ended already, and the keeper is cleaning up.
            pass
        return True
