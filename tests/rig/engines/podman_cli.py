"""The podman command beside a running Podman engine, in its namespaces and on its storage, as its users have it."""

from __future__ import annotations

import os
import signal
import subprocess
import time

from tests.rig.engines import launch
from tests.rig.engines.engine import Engine, EngineError

_PATIENCE = 60.0
_CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}


def podman(engine: Engine, *words: str, options: tuple[str, ...] = ()) -> str:
    """Run a command of podman with what the engine was started with, and return what it said."""
    done = subprocess.run(_command(engine, options, words), cwd="/", capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EngineError(f"podman {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def killed_build(engine: Engine, dockerfile: str, *, writes: str, size: int, options: tuple[str, ...] = ()) -> None:
    """Build, and kill podman as soon as a step has written a file of that name and size."""
    context = engine.run_directory / "context"
    context.mkdir(exist_ok=True)
    (context / "Dockerfile").write_text(dockerfile)
    # There is no network, and fewer limits than the machine of the tests lets it set.
    limits = ("--network", "none", "--ulimit", "nofile=2000:2000", "--ulimit", "nproc=1000:1000")
    words = ("build", *limits, "--tag", "never", str(context))
    with subprocess.Popen(_command(engine, options, words), cwd="/", stdout=subprocess.DEVNULL) as build:
        deadline = time.monotonic() + _PATIENCE
        while not any(one.stat().st_size >= size for one in engine.data_root.glob(f"overlay/*/diff/{writes}")):
            if build.poll() is not None or time.monotonic() > deadline:
                raise EngineError("the build has not written what it should")
            time.sleep(0.02)
        # What enters a namespace of processes is the parent of what runs there.
        [inside] = _children(build.pid)
        os.kill(inside, signal.SIGKILL)


def _command(engine: Engine, options: tuple[str, ...], words: tuple[str, ...]) -> list[str]:
    variables = _CLEAN | {"CONTAINERS_CONF": str(engine.run_directory / "containers.conf")}
    return [
        *("nsenter", "--target", str(engine.pid), "--all"),
        *("env", "-i", *(f"{name}={value}" for name, value in variables.items())),
        *launch.podman(engine.run_directory, engine.data_root),
        *options,
        *words,
    ]


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]
