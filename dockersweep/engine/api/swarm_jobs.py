"""The calls that run a job on the nodes of a swarm: the only ones that create anything.

They are in no client of the verbs that read or remove: only `swarm` has these.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from dockersweep.engine.api import swarm_wire
from dockersweep.engine.api.connection import Answer
from dockersweep.engine.api.session import Session
from dockersweep.errors import EngineError, UsageError
from dockersweep.model.swarm import JobTask, SwarmNode

RUN_LABEL = "dockersweep.swarm.run"
"""Which run created a service or a config."""
SECONDS_LABEL = "dockersweep.swarm.seconds"
"""How long that run may be at work after it has created it."""
LARGEST_CONFIG_BYTES = 500 * 1024
"""What swarmkit stores at the most (api/validation/secrets.go, and configs alike)."""
LARGEST_LOG_BYTES = 1 << 30
_HEADER_BYTES = 8
_STANDARD_OUTPUT = 1
# "none" does not hold: where tasks fail on two nodes they are started again and again, several times a second
# (findings/global-job-restarts.sh). So the next try is put off until the job is long removed.
_RESTART = {"Condition": "on-failure", "Delay": 24 * 3600 * 10**9}
# The engine's own settings may cut a log off early, or send it where it cannot be read. With more than one file they
# may ask for compression too, which needs two.
_LOG_DRIVER = {"Name": "json-file", "Options": {"max-size": "1g", "max-file": "2"}}


class ConfigFile(msgspec.Struct, frozen=True):
    """A config object that a container sees as a file."""

    id: str
    name: str
    path: str


class JobSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What runs on each node that the constraints allow, once."""

    name: str
    labels: Mapping[str, str]
    image: str
    arguments: tuple[str, ...]
    constraints: tuple[str, ...]
    """All must hold: "node.role==worker"."""
    socket: str
    """The path of the engine's socket on every node, and in the container."""
    state_volume: str
    state_folder: str
    configs: tuple[ConfigFile, ...]
    user: str | None
    groups: tuple[str, ...]
    """The container's user, and its further groups; None and empty for those of the image."""
    stop_seconds: float
    """How long its end may take where it is stopped."""


class OwnObject(msgspec.Struct, frozen=True):
    """A service or config that a run of `swarm` created."""

    id: str
    name: str
    run: str
    seconds: int | None
    """How long the run may be at work after `created_at`; None where its label is no number."""
    created_at: str


class SwarmJobs(Session):
    """Jobs on the nodes of a swarm; the engine is a manager. Raises EngineError for an invalid answer."""

    def nodes(self) -> tuple[SwarmNode, ...]:
        """Return every node, sorted by host name."""
        listed = self._list("/nodes", list[swarm_wire.WireNode])
        return tuple(sorted(map(_node, listed), key=lambda node: (node.hostname, node.id)))

    def tasks(self, service_id: str) -> tuple[JobTask, ...]:
        """Return the tasks of a service, the oldest first."""
        listed = self._list("/tasks", list[swarm_wire.WireTask], params=_filters(service=service_id))
        return tuple(sorted(map(_task, listed), key=lambda task: task.created_at))

    def task_output(self, task_id: str, timeout_seconds: float) -> tuple[bytes, bytes]:
        """Return what a task has written to standard output, and to standard error.

        The manager gets it from the node: raises EngineTimeoutError where that does not answer.
        """
        path, params = f"/tasks/{task_id}/logs", {"stdout": "1", "stderr": "1"}
        answer = self._request("GET", path, LARGEST_LOG_BYTES, params=params, timeout_seconds=timeout_seconds)
        if answer.status != 200:
            raise self._refusal(answer, f"GET {path}")
        output: tuple[list[bytes], list[bytes]] = ([], [])
        for stream, piece in demultiplexed(answer.body):
            output[stream != _STANDARD_OUTPUT].append(piece)
        return b"".join(output[0]), b"".join(output[1])

    def own_services(self) -> tuple[OwnObject, ...]:
        """Return the services that runs of `swarm` created, of this one and others."""
        return self._own("/services")

    def own_configs(self) -> tuple[OwnObject, ...]:
        """Return the configs that runs of `swarm` created, of this one and others."""
        return self._own("/configs")

    def create_config(self, name: str, content: bytes, labels: Mapping[str, str]) -> str:
        """Create a config and return its id."""
        body = {"Name": name, "Labels": dict(labels), "Data": base64.b64encode(content).decode()}
        return self._create("/configs/create", body)

    def create_job(self, spec: JobSpec) -> str:
        """Create the service of a job and return its id. Raises UsageError for a constraint or an image that the
        engine does not take."""
        return self._create("/services/create", job_body(spec))

    def remove_service(self, service_id: str) -> None:
        """Remove a service and its tasks, if it is still there."""
        self._remove(f"/services/{service_id}")

    def remove_config(self, config_id: str) -> None:
        """Remove a config, if it is still there; raises EngineError where a service uses it."""
        self._remove(f"/configs/{config_id}")

    def _own(self, path: str) -> tuple[OwnObject, ...]:
        listed = self._list(path, list[swarm_wire.WireLabeled], params=_filters(label=RUN_LABEL))
        return tuple(_own_object(entry) for entry in listed)

    def _create(self, path: str, body: Mapping[str, Any]) -> str:
        answer = self._request("POST", path, body=msgspec.json.encode(body))
        # Docker answers 500 for a constraint that swarmkit cannot read (tried on 28.5).
        if answer.status == 400 or "constraint" in answer.message():
            raise UsageError(f"the swarm refuses the job: {_without_code(answer.message())}")
        if answer.status not in (200, 201):
            raise self._refusal(answer, f"POST {path}")
        try:
            return msgspec.json.decode(answer.body, type=swarm_wire.WireCreated).id
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise EngineError(
                f"{self._where} answered POST {path} with something else than was asked: {error}"
            ) from None

    def _remove(self, path: str) -> None:
        answer = self._request("DELETE", path)
        if answer.status not in (200, 204, 404):
            raise self._refusal(answer, f"DELETE {path}")

    def _refusal(self, answer: Answer, request: str) -> EngineError:
        return EngineError(f"{self._where} answered {request} with {answer.status}: {_without_code(answer.message())}")


def job_body(spec: JobSpec) -> dict[str, Any]:
    """Return the body of the request that creates a job's service."""
    container: dict[str, Any] = {
        "Image": spec.image,
        "Args": list(spec.arguments),
        "Env": [f"DOCKERSWEEP_STATE_DIR={spec.state_folder}", f"DOCKERSWEEP_LOCK_DIR={spec.state_folder}"],
        "ReadOnly": True,
        "StopGracePeriod": int(spec.stop_seconds * 10**9),
        "Mounts": [
            {"Type": "bind", "Source": spec.socket, "Target": spec.socket},
            {"Type": "volume", "Source": spec.state_volume, "Target": spec.state_folder},
        ],
        "Configs": [
            {
                "ConfigID": config.id,
                "ConfigName": config.name,
                "File": {"Name": config.path, "UID": "0", "GID": "0", "Mode": 0o444},
            }
            for config in spec.configs
        ],
    }
    if spec.user is not None:
        container["User"] = spec.user
    if spec.groups:
        container["Groups"] = list(spec.groups)
    return {
        "Name": spec.name,
        "Labels": dict(spec.labels),
        "TaskTemplate": {
            "ContainerSpec": container,
            "Placement": {"Constraints": list(spec.constraints)},
            "RestartPolicy": _RESTART,
            "LogDriver": _LOG_DRIVER,
        },
        "Mode": {"GlobalJob": {}},
    }


def demultiplexed(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the pieces of a log, each with its stream: 1 is standard output, 2 standard error.

    Docker puts eight bytes in front of each: the stream, three zeros, and the length. What is cut off at the end is
    yielded as far as it came.
    """
    position = 0
    while len(header := body[position : position + _HEADER_BYTES]) == _HEADER_BYTES:
        length = int.from_bytes(header[4:], "big")
        position += _HEADER_BYTES
        yield header[0], body[position : position + length]
        position += length


def _filters(**filters: str) -> dict[str, str]:
    return {"filters": msgspec.json.encode({name: [value] for name, value in filters.items()}).decode()}


def _without_code(message: str) -> str:
    """Return a message of swarmkit without what gRPC adds: "rpc error: code = Unknown desc = constraint expected"."""
    return re.sub(r"^rpc error: code = \w+ desc = ", "", message)


def _node(node: swarm_wire.WireNode) -> SwarmNode:
    spec = node.spec or swarm_wire.WireNodeSpec()
    description = node.description or swarm_wire.WireNodeDescription()
    status = node.status or swarm_wire.WireNodeStatus()
    platform = description.platform or swarm_wire.WirePlatform()
    return SwarmNode(
        id=node.id,
        hostname=description.hostname or node.id,
        address=status.addr or None,
        role=spec.role,
        availability=spec.availability,
        state=status.state,
        state_message=status.message,
        labels=spec.labels or {},
        engine_labels=(description.engine.labels if description.engine else None) or {},
        os=platform.os,
        architecture=platform.architecture,
    )


def _task(task: swarm_wire.WireTask) -> JobTask:
    status = task.status or swarm_wire.WireTaskStatus()
    container = status.container_status
    return JobTask(
        id=task.id,
        node_id=task.node_id,
        state=status.state,
        error=status.err,
        exit_code=container.exit_code if container else None,
        created_at=task.created_at,
    )


def _own_object(entry: swarm_wire.WireLabeled) -> OwnObject:
    spec = entry.spec or swarm_wire.WireLabeledSpec()
    labels = spec.labels or {}
    seconds = labels.get(SECONDS_LABEL, "")
    return OwnObject(
        id=entry.id,
        name=spec.name,
        run=labels.get(RUN_LABEL, ""),
        seconds=int(seconds) if re.fullmatch(r"\d{1,9}", seconds, re.ASCII) else None,
        created_at=entry.created_at,
    )
