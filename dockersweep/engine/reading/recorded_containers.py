"""What an inspect of a container tells, read from what an engine beside us keeps of it: to ask for each of a thousand
containers takes longer than all the rest of a scan.

A record is believed where the folder is the engine's own (`engine.disk.ownership`) and agrees with all that the list
says of the container, how long ago it ended included. All others are to be inspected.
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
"""How far from ours the clock may be by which the list counts: both are of this machine."""


def read_recorded(
    stores: Stores, wanted: Collection[ListedContainer], at: ListedAt, known: Records | None
) -> dict[str, Container]:
    """Return what inspects of the wanted containers would tell, by id, as far as records tell it for certain; where
    these are known, they are not read again."""
    ids = [one.container.id for one in wanted]
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
        told = container_from_details(details, read is _of_podman)
        if _agrees(listed, told, at):
            mounts = with_mounted_images(listed.container.mounts, details.host_config)
            yield told.id, msgspec.structs.replace(told, mounts=mounts)


def _agrees(listed: ListedContainer, told: Container, at: ListedAt) -> bool:
    """Whether a record is of the container that was listed, in the state in which it was listed."""
    container = listed.container
    made_at = told.created_at and told.created_at.replace(microsecond=0)
    if (told.id, told.name, told.state, made_at) != (
        container.id,
        container.name,
        container.state,
        container.created_at,
    ):
        return False
    ended = listed.ended
    if ended is None:
        return container.state != "exited"
    if told.finished_at is None:
        return False
    earliest = (at.earliest - told.finished_at).total_seconds() - _SLACK_SECONDS
    latest = (at.latest - told.finished_at).total_seconds() + _SLACK_SECONDS
    return ended.exit_code == told.exit_code and earliest < ended.most_seconds and latest >= ended.least_seconds


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
        """The word that lists have for it: StateString in container/state.go of moby. That it is being removed is
        not kept."""
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
    told = decode(record.config, _DockerConfig)
    state = told.state
    return wire.WireContainerDetails(
        id=told.id,
        name=told.name,
        state=wire.WireState(state.status, state.exit_code, state.started_at, state.finished_at),
        created=told.created,
        image=told.image,
        log_path=told.log_path,
        restart_count=told.restart_count,
        config=told.config,
        host_config=decode(record.other, wire.WireHostConfig),
    )


class _PodmanConfig(Struct, rename="camel"):
    """`ContainerConfig` in libpod/container_config.go. Go leaves out what is empty."""

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
    """Empty where it has no network of its own; the list tells all its networks."""
    network_of: str = field(default="", name="netNsCtr")
    ipc_of: str = field(default="", name="ipcNsCtr")
    pid_of: str = field(default="", name="pidNsCtr")


class _PodmanState(Struct, rename="camel"):
    """`ContainerState` in libpod/container.go. Go leaves out what is zero."""

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
"""What its API for docker clients says of its drivers."""


def _joined(container_id: str) -> str:
    return f"container:{container_id}" if container_id else ""
