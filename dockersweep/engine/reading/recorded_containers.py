"""The details of containers that an inspect would return, read from the engine's files on this machine: inspecting a
thousand containers takes longer than the rest of a scan.

A record is used if the folder belongs to the engine (`engine.disk.ownership`) and the record agrees with everything
that the list has of the container, including how long ago it ended. All others have to be inspected.
"""

from collections.abc import Callable, Collection, Iterator

import msgspec
from msgspec import Struct, field

from dockersweep.engine.api import wire
from dockersweep.engine.api.answers import ListedAt, ListedContainer
from dockersweep.engine.api.decoding import decode
from dockersweep.engine.api.translate import container_from_details, with_mounted_images
from dockersweep.engine.disk.container_records import ContainerRecord, Records, read_docker_records
from dockersweep.engine.disk.parts import UnreadableStorageError
from dockersweep.engine.disk.stores import Stores
from dockersweep.model.inventory import Container
from dockersweep.units import parse_instant

_SLACK_SECONDS = 1.0
"""How far the engine's clock may differ from ours: both are this machine's."""


def read_recorded(
    stores: Stores, wanted: Collection[ListedContainer], at: ListedAt, known: Records | None
) -> dict[str, Container]:
    """Return the wanted containers as inspects would, by id, if their records are certain; `known` records are not read
    again."""
    ids = [entry.container.id for entry in wanted]
    try:
        if stores.engine.flavour == "podman":
            # Docker has no such database.
            from dockersweep.engine.disk.podman_database import read_podman_records

            records = read_podman_records(stores.root, ids) if known is None else known
            return dict(_agreeing(wanted, records, _of_podman, at))
        return dict(_agreeing(wanted, read_docker_records(stores.root, ids), _of_docker, at))
    except (UnreadableStorageError, OSError):
        return {}


def _agreeing(
    wanted: Collection[ListedContainer],
    records: Records,
    read: Callable[[ContainerRecord], wire.WireContainerDetails],
    at: ListedAt,
) -> Iterator[tuple[str, Container]]:
    for listed in wanted:
        record = records.get(listed.container.id)
        if record is None:
            continue
        try:
            details = read(record)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        recorded = container_from_details(details, read is _of_podman)
        if _agrees(listed, recorded, at):
            mounts = with_mounted_images(listed.container.mounts, details.host_config)
            yield recorded.id, msgspec.structs.replace(recorded, mounts=mounts)


def _agrees(listed: ListedContainer, recorded: Container, at: ListedAt) -> bool:
    """Return whether a record matches the listed container and its state."""
    container = listed.container
    made_at = recorded.created_at and recorded.created_at.replace(microsecond=0)
    if (recorded.id, recorded.name, recorded.state, made_at) != (
        container.id,
        container.name,
        container.state,
        container.created_at,
    ):
        return False
    ended = listed.ended
    if ended is None:
        return container.state != "exited"
    if recorded.finished_at is None:
        return False
    earliest = (at.earliest - recorded.finished_at).total_seconds() - _SLACK_SECONDS
    latest = (at.latest - recorded.finished_at).total_seconds() + _SLACK_SECONDS
    return ended.exit_code == recorded.exit_code and earliest < ended.most_seconds and latest >= ended.least_seconds


class _DockerState(Struct, rename="pascal"):
    running: bool
    paused: bool
    restarting: bool
    dead: bool
    exit_code: int
    started_at: str
    finished_at: str

    @property
    def status(self) -> str:
        """The state as lists have it: StateString in container/state.go of moby. "removing" is not recorded."""
        if self.running:
            return "paused" if self.paused else "restarting" if self.restarting else "running"
        if self.dead:
            return "dead"
        return "created" if parse_instant(self.started_at) is None else "exited"


class _DockerConfig(Struct, rename="pascal"):
    """`config.v2.json`."""

    id: str = field(name="ID")
    name: str
    created: str
    image: str
    log_path: str
    restart_count: int
    state: _DockerState
    config: wire.WireContainerConfig


def _of_docker(record: ContainerRecord) -> wire.WireContainerDetails:
    config = decode(record.config, _DockerConfig)
    state = config.state
    return wire.WireContainerDetails(
        id=config.id,
        name=config.name,
        state=wire.WireState(state.status, state.exit_code, state.started_at, state.finished_at),
        created=config.created,
        image=config.image,
        log_path=config.log_path,
        restart_count=config.restart_count,
        config=config.config,
        host_config=decode(record.other, wire.WireHostConfig),
    )


class _PodmanConfig(Struct, rename="camel"):
    """`ContainerConfig` in libpod/container_config.go. Go omits empty values."""

    id: str
    name: str
    created_time: str
    log_path: str = ""
    log_driver: str = ""
    image: str = field(default="", name="rootfsImageID")
    image_name: str = field(default="", name="rootfsImageName")
    labels: dict[str, str] | None = None
    restart_policy: str = field(default="", name="restart_policy")
    restart_retries: int = field(default=0, name="restart_retries")
    network_mode: str = ""
    """Empty if it has no network of its own; the list has all its networks."""
    network_of: str = field(default="", name="netNsCtr")
    ipc_of: str = field(default="", name="ipcNsCtr")
    pid_of: str = field(default="", name="pidNsCtr")


class _PodmanState(Struct, rename="camel"):
    """`ContainerState` in libpod/container.go. Go omits zeros."""

    state: int
    started_time: str = ""
    finished_time: str = ""
    exit_code: int = 0
    restart_count: int = 0


PODMAN_RECORD_STATES = {
    1: "configured", 2: "initialized", 3: "running", 4: "stopped", 5: "paused", 6: "exited", 7: "removing",
    8: "stopping",
}  # fmt: skip
"""libpod/define/containerstate.go."""


def _of_podman(record: ContainerRecord) -> wire.WireContainerDetails:
    config, state = decode(record.config, _PodmanConfig), decode(record.other, _PodmanState)
    return wire.WireContainerDetails(
        id=config.id,
        name=config.name,
        state=wire.WireState(
            PODMAN_RECORD_STATES.get(state.state, ""), state.exit_code, state.started_time, state.finished_time
        ),
        created=config.created_time,
        image=config.image,
        log_path=config.log_path,
        restart_count=state.restart_count,
        config=wire.WireContainerConfig(config.image_name, config.labels),
        host_config=wire.WireHostConfig(
            log_config=wire.WireLogConfig(_PODMAN_LOGS.get(config.log_driver, config.log_driver)),
            network_mode=_joined(config.network_of) or config.network_mode,
            ipc_mode=_joined(config.ipc_of),
            pid_mode=_joined(config.pid_of),
            restart_policy=wire.WireRestartPolicy(config.restart_policy, config.restart_retries),
        ),
    )


_PODMAN_LOGS = {"k8s-file": "json-file"}
"""Log drivers as Podman's docker API calls them."""


def _joined(container_id: str) -> str:
    return f"container:{container_id}" if container_id else ""
