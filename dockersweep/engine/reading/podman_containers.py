"""The containers of a Podman on this machine as its docker API lists them, without requesting that list: for it Podman
inspects each container, and reads a file of each that ever ran.

Podman's own list takes a fifth of the time, and comes with the containers of other tools, which are needed anyway. What
it lacks, the mounts and some details of networks, is in Podman's database. That is used if the folder belongs to the
engine (`engine.disk.ownership`) and everything that is in both agrees. If a container is of a kind that was not tried,
no container is returned, and the other list has to be requested. Networks and mounts follow getContainerNetworkInfo
(libpod/networking_common.go) and GetMounts (libpod/container_inspect.go) of Podman.
"""

from collections.abc import Collection, Iterator, Mapping

import msgspec
from msgspec import Raw, Struct, field

from dockersweep.engine.api import wire
from dockersweep.engine.api.answers import ListedContainer
from dockersweep.engine.api.decoding import decode
from dockersweep.engine.api.status_text import Ended
from dockersweep.engine.api.translate import container_from_list
from dockersweep.engine.disk.container_records import ContainerRecord, Records
from dockersweep.engine.disk.parts import UnreadableStorageError
from dockersweep.engine.disk.podman_database import read_podman_records
from dockersweep.engine.disk.stores import Stores
from dockersweep.engine.reading.recorded_containers import PODMAN_RECORD_STATES
from dockersweep.model.inventory import Network
from dockersweep.units import parse_instant

_NEVER = -62135596800
"""The list's value for no time: the year 1."""
_DEFAULT, _DEFAULT_FOR_DOCKER = "podman", "bridge"
"""The default network, as Podman and as its docker API calls it."""


class _SpecMount(Struct):
    destination: str
    type: str = ""
    source: str = ""


class _Namespace(Struct):
    type: str
    path: str = ""


class _Linux(Struct):
    namespaces: list[_Namespace]


class _Spec(Struct):
    linux: _Linux
    mounts: list[_SpecMount] | None = None


class _NamedVolume(Struct, rename="camel"):
    volume_name: str
    dest: str


class _Config(Struct, rename="camel"):
    """`ContainerConfig` in libpod/container_config.go, as far as it has to do with mounts and networks."""

    id: str
    name: str
    created_time: str
    spec: _Spec
    create_net_ns: bool = field(name="createNetNS")
    net_ns_ctr: str = ""
    network_mode: str = ""
    user_volumes: list[str] | None = None
    named_volumes: list[_NamedVolume] | None = None
    overlay_volumes: list[Raw] | None = None
    artifact_volumes: list[Raw] | None = None
    image_volumes: list[Raw] | None = field(default=None, name="ctrImageVolumes")


class _State(Struct, rename="camel"):
    """`ContainerState` in libpod/container.go."""

    state: int
    started_time: str = ""
    finished_time: str = ""
    exit_code: int = 0
    netns: str = ""
    network_status: dict[str, Raw] | None = None


class _Known(Struct):
    """A container of the list, with its records in the database."""

    listed: wire.WirePodmanContainer
    config: _Config
    state: _State


class UncertainError(Exception):
    """The mounts or networks of a container cannot be determined with certainty."""


def podman_containers(
    stores: Stores,
    listed: Collection[wire.WirePodmanContainer],
    networks: Collection[Network],
    has_mode: bool,
    now_seconds: float,
) -> tuple[tuple[ListedContainer, ...], Records]:
    """Return the containers of Podman's own list with their mounts and networks, and their records.

    `has_mode` is whether the list of its docker API has the network mode; `now_seconds` is when they were listed, since
    1970. Raises UncertainError, and OSError if the database cannot be read.
    """
    ids = _network_ids(networks)
    try:
        records = read_podman_records(stores.root, [container.id for container in listed])
        by_id = {container.id: container for container in listed}
        known = {container_id: _known(by_id[container_id], record) for container_id, record in records.items()}
    except (KeyError, UnreadableStorageError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UncertainError from error
    if known.keys() != by_id.keys():
        raise UncertainError
    containers = tuple(
        ListedContainer(
            container_from_list(_as_docker_lists(container, known, ids, has_mode)), _ended(container, now_seconds)
        )
        for container in known.values()
    )
    return containers, records


def _known(listed: wire.WirePodmanContainer, record: ContainerRecord) -> _Known:
    """Raises UncertainError if the record does not match the listed container and its state."""
    config, state = decode(record.config, _Config), decode(record.other, _State)
    recorded = config.id, [config.name], PODMAN_RECORD_STATES.get(state.state), parse_instant(config.created_time)
    times = _seconds(state.started_time), _seconds(state.finished_time), state.exit_code
    word = "configured" if listed.state == "created" else listed.state
    if recorded != (listed.id, listed.names, word, parse_instant(listed.created)) or times != (
        listed.started_at,
        listed.exited_at,
        listed.exit_code,
    ):
        raise UncertainError
    return _Known(listed, config, state)


def _seconds(text: str) -> int:
    instant = parse_instant(text)
    return _NEVER if instant is None else int(instant.timestamp())


def _network_ids(networks: Collection[Network]) -> Mapping[str, str]:
    """Return the ids of networks by Podman's names for them, without ambiguous names."""
    names = [network.name for network in networks]
    ids = {network.name: network.id for network in networks if names.count(network.name) == 1}
    if _DEFAULT not in names and _DEFAULT_FOR_DOCKER in ids:
        ids[_DEFAULT] = ids.pop(_DEFAULT_FOR_DOCKER)
    return ids


def _ended(container: _Known, now_seconds: float) -> Ended | None:
    if container.listed.state not in ("exited", "stopped"):
        return None
    ago = now_seconds - container.listed.exited_at
    # The time is in whole seconds, rounded down.
    return Ended(container.listed.exit_code, ago - 1, ago)


def _as_docker_lists(
    container: _Known, known: Mapping[str, _Known], ids: Mapping[str, str], has_mode: bool
) -> wire.WireContainer:
    created = parse_instant(container.listed.created)
    return wire.WireContainer(
        id=container.listed.id,
        state=container.listed.state,
        image_id=f"sha256:{container.listed.image_id}",
        mounts=list(_mounts(container)),
        network_settings=wire.WireNetworkSettings(
            {name: wire.WireEndpoint(ids.get(name, name)) for name in _networks(container, known, ids)}
        ),
        names=container.listed.names,
        image=container.listed.image,
        created=0 if created is None else int(created.timestamp()),
        labels=container.listed.labels,
        host_config=wire.WireHostConfig(network_mode=_mode(container)) if has_mode else None,
    )


def _networks(container: _Known, known: Mapping[str, _Known], ids: Mapping[str, str]) -> list[str]:
    """Return the names of a container's networks, or those of the container whose network it shares."""
    if container.config.net_ns_ctr:
        shared = known.get(container.config.net_ns_ctr)
        if shared is None or shared.config.net_ns_ctr:
            raise UncertainError
        return _networks(shared, known, ids)
    if container.listed.networks is msgspec.UNSET:
        raise UncertainError
    names = container.listed.networks or []
    is_up = bool(container.state.netns)
    if not ids.keys() >= set(names) or (is_up and set(container.state.network_status or {}) != set(names)):
        raise UncertainError
    return names or [_mode(container)]


def _mode(container: _Known) -> str:
    config = container.config
    if config.net_ns_ctr:
        return f"container:{config.net_ns_ctr}"
    if config.create_net_ns:
        if config.network_mode == "bridge" and container.listed.networks:
            return "bridge"
        raise UncertainError
    spaces = [space for space in config.spec.linux.namespaces if space.type == "network"]
    # Containers that join a namespace by its path were not tried.
    if container.listed.networks or any(space.path for space in spaces):
        raise UncertainError
    return "none" if spaces else "host"


def _mounts(container: _Known) -> Iterator[wire.WireMount]:
    """Yield what a user, an image or a tool mounted: named volumes first, and no tmpfs. Mounts with their own overlay
    are only listed while mounted, and then twice; so they are uncertain."""
    config = container.config
    places = set(config.user_volumes or ())
    if container.listed.mounts is msgspec.UNSET or places != set(container.listed.mounts or ()):
        raise UncertainError
    if config.overlay_volumes or config.artifact_volumes or config.image_volumes:
        raise UncertainError
    named = [volume for volume in config.named_volumes or () if volume.dest in places]
    places.difference_update(volume.dest for volume in named)
    by_path = [mount for mount in config.spec.mounts or () if mount.destination in places]
    if {mount.destination for mount in by_path} != places or any(
        mount.type not in ("bind", "tmpfs") for mount in by_path
    ):
        raise UncertainError
    yield from (wire.WireMount("volume", volume.volume_name) for volume in named)
    by_path.sort(key=lambda mount: mount.destination)
    yield from (wire.WireMount("bind", source=mount.source) for mount in by_path if mount.type == "bind")
