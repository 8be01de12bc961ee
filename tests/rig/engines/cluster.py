"""A swarm of three engines of different versions, each with the image of this checkout."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import kind
from tests.rig.engines.own_image import copy_own_image, have_own_image
from tests.rig.engines.swarm import start_swarm, worker_of

MANAGER = "docker-28.5"
WORKERS = ("docker-26.1", "docker-20.10")
# Every node of a swarm has its socket at the same place; those of the tests lie below /run in roots of their own.
_PATIENCE = 60.0
_SOCKET = ("-H", "unix:///run/docker.sock")


@dataclass(frozen=True)
class Cluster:
    """A manager and its workers."""

    manager: Engine
    workers: tuple[Engine, ...]

    @property
    def engines(self) -> tuple[Engine, ...]:
        """All of them, the manager first."""
        return (self.manager, *self.workers)

    def node_id(self, engine: Engine) -> str:
        """The id that the swarm has for an engine."""
        told: str = engine.wire.call("GET", "/info")["Swarm"]["NodeID"]
        return told

    def await_ready(self) -> None:
        """Wait until the managers hear of every node again."""
        deadline = time.monotonic() + _PATIENCE
        while any(node["Status"]["State"] != "ready" for node in self.manager.wire.call("GET", "/nodes")):
            assert time.monotonic() < deadline, "a node is down"
            time.sleep(0.2)

    def services(self) -> list[Any]:
        """What services there are."""
        listed: list[Any] = self.manager.wire.call("GET", "/services")
        return listed

    def configs(self) -> list[Any]:
        """What configs there are."""
        listed: list[Any] = self.manager.wire.call("GET", "/configs")
        return listed


@contextmanager
def paused(engine: Engine) -> Iterator[None]:
    """Stop all processes of an engine, as a machine that hangs, and let them go on at the end."""
    stopped = list(_tree(engine.pid))
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def _tree(pid: int) -> Iterator[int]:
    """A process and all that it has started, itself first."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _tree(int(child))


@contextmanager
def cluster(workers: tuple[str, ...] = WORKERS) -> Iterator[Cluster]:
    """A swarm, for as long as this context."""
    with ExitStack() as stack:
        manager = stack.enter_context(Engine(kind(MANAGER), options=_SOCKET))
        start_swarm(manager)
        have_own_image(manager)
        joined = []
        for number, name in enumerate(workers):
            worker = stack.enter_context(worker_of(manager, kind(name), number, _SOCKET))
            copy_own_image(manager, worker)
            joined.append(worker)
        yield Cluster(manager, tuple(joined))
