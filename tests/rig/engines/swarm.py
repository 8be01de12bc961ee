"""A swarm of test engines, and services in it.

An engine has a network of its own, so a swarm of one needs no free port. A worker joins its manager's network.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import CannotDo, EngineKind
from tests.rig.engines.wire import RefusalError

_PATIENCE = 40.0


def start_swarm(engine: Engine) -> None:
    """Make an engine the manager of a swarm of its own; emptying the engine ends it."""
    if engine.kind.flavour == "podman":
        raise CannotDo("it has no swarm")
    body = {"ListenAddr": "127.0.0.1:2377", "AdvertiseAddr": "127.0.0.1"}
    engine.wire.call("POST", "/swarm/init", body)


@contextmanager
def swarm(engine: Engine) -> Iterator[None]:
    """A swarm for as long as this context, with the engine as its manager."""
    start_swarm(engine)
    try:
        yield
    finally:
        leave_swarm(engine)


@contextmanager
def worker_of(
    manager: Engine, kind: EngineKind | None = None, number: int = 0, options: tuple[str, ...] = ()
) -> Iterator[Engine]:
    """Another engine, of the same kind if no other is given, which is a worker in the swarm of a manager.

    Each worker has its own number, from 0 on; the options are for its command line.
    """
    bridge, address = f"worker{number}", f"127.0.0.{2 + number}"
    with (
        _bridge(manager, bridge, f"172.30.{255 - number}.1"),
        Engine(kind or manager.kind, options=(f"--bridge={bridge}", *options), beside=manager) as worker,
    ):
        token = manager.wire.call("GET", "/swarm")["JoinTokens"]["Worker"]
        body = {
            "ListenAddr": f"{address}:2377",
            "AdvertiseAddr": address,
            "RemoteAddrs": ["127.0.0.1:2377"],
            "JoinToken": token,
        }
        worker.wire.call("POST", "/swarm/join", body)
        try:
            yield worker
        finally:
            leave_swarm(worker)


@contextmanager
def _bridge(engine: Engine, name: str, address: str) -> Iterator[None]:
    """A bridge in the network of an engine for another one, which without any would take away that of the first."""

    def busybox(*words: str) -> None:
        subprocess.run(["nsenter", f"--target={engine.pid}", "--all", "busybox", *words], cwd="/", check=True)

    busybox("ip", "link", "add", name, "type", "bridge")
    busybox("ifconfig", name, address, "netmask", "255.255.255.0", "up")
    try:
        yield
    finally:
        busybox("ip", "link", "del", name)


def leave_swarm(engine: Engine) -> None:
    """Have an engine be alone again."""
    engine.wire.call("POST", "/swarm/leave", tolerate=(503,), force="1")


def create_service(
    engine: Engine,
    name: str,
    image: str,
    *,
    mode: dict[str, Any] | None = None,
    volumes: Sequence[str] = (),
    networks: Sequence[str] = ("host",),
    constraints: Sequence[str] = (),
    command: str = "exec sleep 1000000",
) -> str:
    """Create a service, with no replicas unless another mode is given, and return its id."""
    spec = service_spec(name, image, mode, volumes, networks, constraints, command)
    made: str = engine.wire.call("POST", "/services/create", spec)["ID"]
    return made


def service_spec(
    name: str,
    image: str,
    mode: dict[str, Any] | None,
    volumes: Sequence[str] = (),
    networks: Sequence[str] = ("host",),
    constraints: Sequence[str] = (),
    command: str = "exec sleep 1000000",
) -> dict[str, Any]:
    """What the engine is told of a service."""
    mounts = [{"Type": "volume", "Source": volume, "Target": f"/mnt/{volume}"} for volume in volumes]
    container = {
        "Image": image,
        "Command": ["/bin/sh", "-c", command],
        "Mounts": mounts,
        "StopSignal": "SIGKILL",
        "StopGracePeriod": 1,
    }
    return {
        "Name": name,
        "TaskTemplate": {
            "ContainerSpec": container,
            "Networks": [{"Target": network} for network in networks],
            "Placement": {"Constraints": list(constraints)},
            # A job may not restart always, which is what others do where nothing is said.
            "RestartPolicy": {"Condition": "on-failure"} if mode and "ReplicatedJob" in mode else {},
        },
        "Mode": mode or replicas(0),
    }


def update_service(engine: Engine, name: str, spec: dict[str, Any]) -> None:
    """Give a service another specification; the one before is what it can be rolled back to."""
    for _ in range(20):
        version = engine.wire.call("GET", f"/services/{name}")["Version"]["Index"]
        try:
            engine.wire.call("POST", f"/services/{name}/update", spec, version=version)
        except RefusalError as refusal:
            # The swarm itself writes into a service that is new.
            if "out of sequence" not in str(refusal):
                raise
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"service {name} does not take an update")


def scale(engine: Engine, name: str, count: int) -> None:
    """Have a service run so many tasks, and wait until it does; with none it has no container left."""
    spec = engine.wire.call("GET", f"/services/{name}")["Spec"]
    for is_last in (False, False, True):
        update_service(engine, name, spec | {"Mode": replicas(count)})
        try:
            await_containers(engine, name, count)
        except TimeoutError:
            # In one of some hundred runs a swarm of 28.5 left a task alone for a minute that it had been told to end.
            if is_last:
                raise
        else:
            break
    for container in _containers(engine, name) if count == 0 else ():
        # The swarm does so too, after some seconds.
        engine.wire.raw("DELETE", f"/containers/{container['Id']}", tolerate=(404, 409))


def await_containers(engine: Engine, name: str, running: int) -> None:
    """Wait until a service has so many containers that run on this engine, and the swarm says so too."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        states = [one["State"] for one in _containers(engine, name)]
        if states.count("running") == running == _running_tasks(engine, name):
            return
        if time.monotonic() > deadline:
            tasks = [(one["DesiredState"], one["Status"]) for one in engine.wire.call("GET", "/tasks")]
            nodes = [one["Status"] for one in engine.wire.call("GET", "/nodes")]
            raise TimeoutError(f"service {name} has {states}: tasks {tasks}, nodes {nodes}")
        time.sleep(0.05)


def _running_tasks(engine: Engine, service: str) -> int:
    """Return how many tasks run as far as the swarm knows, which hears of it some time after the engine."""
    told = engine.wire.call("GET", "/services", status="1")
    return sum(one["ServiceStatus"]["RunningTasks"] for one in told if one["Spec"]["Name"] == service)


def _containers(engine: Engine, service: str) -> list[dict[str, Any]]:
    listed = engine.wire.call("GET", "/containers/json", all="1")
    return [one for one in listed if one["Labels"].get("com.docker.swarm.service.name") == service]


def replicas(count: int) -> dict[str, Any]:
    """The mode of a replicated service."""
    return {"Replicated": {"Replicas": count}}
