"""The containers of a Podman beside us as its list for docker clients has them, without that list: Podman inspects each
container for it, and reads a file of each that ever ran.

Its own list costs it a fifth, and comes with the containers of other tools that are asked for anyway. What it leaves
out, the mounts and what is said of networks, is in Podman's database; that is believed where the folder is the engine's
own (`engine.disk.ownership`) and all that both tell agrees. Where a container is of a sort of which that was not tried,
nothing is told, and the other list is to be asked for. Networks and mounts are told as getContainerNetworkInfo
(libpod/networking_common.go) and GetMounts (libpod/container_inspect.go) of Podman tell them.
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
"""What the list says of a moment that was not: the year 1."""
_DEFAULT, _DEFAULT_FOR_DOCKER = "podman", "bridge"
"""The network that is there always, as Podman and as its list for docker clients calls it."""


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
    """`ContainerConfig` in libpod/container_config.go, as far as it tells what a container holds."""

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
    """A container of the list, with what the database has of it."""

    listed: wire.WirePodmanContainer
    config: _Config
    state: _State


class UncertainError(Exception):
    """What a container holds cannot be told for certain."""


def podman_containers(
    stores: Stores,
    listed: Collection[wire.WirePodmanContainer],
    networks: Collection[Network],
    tells_mode: bool,
    now_seconds: float,
) -> tuple[tuple[ListedContainer, ...], Records]:
    """Return the containers that Podman's own list named, and their records.

    `tells_mode` is whether its list for docker clients has the mode of the network, and `now_seconds` is when they were
    listed, since 1970. Raises UncertainError, and OSError where the database cannot be read.
    """
    ids = _network_ids(networks)
    try:
        records = read_podman_records(stores.root, [one.id for one in listed])
        by_id = {one.id: one for one in listed}
        known = {one: _known(by_id[one], record) for one, record in records.items()}
    except (KeyError, UnreadableStorageError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UncertainError from error
    if known.keys() != by_id.keys():
        raise UncertainError
    containers = tuple(
        ListedContainer(container_from_list(_as_docker_lists(one, known, ids, tells_mode)), _ended(one, now_seconds))
        for one in known.values()
    )
    return containers, records


def _known(listed: wire.WirePodmanContainer, record: ContainerRecord) -> _Known:
    """Raises UncertainError where the record is not of the container that was listed, in the state in which it was."""
    config, state = decode(record.config, _Config), decode(record.other, _State)
    told = config.id, [config.name], PODMAN_RECORD_STATES.get(state.state), parse_instant(config.created_time)
    times = _seconds(state.started_time), _seconds(state.finished_time), state.exit_code
    word = "configured" if listed.state == "created" else listed.state
    if told != (listed.id, listed.names, word, parse_instant(listed.created)) or times != (
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
    """Return the ids of networks by the names that Podman has for them, without those of which two have one name."""
    names = [network.name for network in networks]
    ids = {network.name: network.id for network in networks if names.count(network.name) == 1}
    if _DEFAULT not in names and _DEFAULT_FOR_DOCKER in ids:
        ids[_DEFAULT] = ids.pop(_DEFAULT_FOR_DOCKER)
    return ids


def _ended(one: _Known, now_seconds: float) -> Ended | None:
    if one.listed.state not in ("exited", "stopped"):
        return None
    ago = now_seconds - one.listed.exited_at
    # The moment is told in whole seconds, cut off.
    return Ended(one.listed.exit_code, ago - 1, ago)


def _as_docker_lists(
    one: _Known, known: Mapping[str, _Known], ids: Mapping[str, str], tells_mode: bool
) -> wire.WireContainer:
    created = parse_instant(one.listed.created)
    return wire.WireContainer(
        id=one.listed.id,
        state=one.listed.state,
        image_id=f"sha256:{one.listed.image_id}",
        mounts=list(_mounts(one)),
        network_settings=wire.WireNetworkSettings(
            {name: wire.WireEndpoint(ids.get(name, name)) for name in _networks(one, known, ids)}
        ),
        names=one.listed.names,
        image=one.listed.image,
        created=0 if created is None else int(created.timestamp()),
        labels=one.listed.labels,
        host_config=wire.WireHostConfig(network_mode=_mode(one)) if tells_mode else None,
    )


def _networks(one: _Known, known: Mapping[str, _Known], ids: Mapping[str, str]) -> list[str]:
    """Return the names of a container's networks, which are those of the one whose network it shares."""
    if one.config.net_ns_ctr:
        shared = known.get(one.config.net_ns_ctr)
        if shared is None or shared.config.net_ns_ctr:
            raise UncertainError
        return _networks(shared, known, ids)
    if one.listed.networks is msgspec.UNSET:
        raise UncertainError
    names = one.listed.networks or []
    is_up = bool(one.state.netns)
    if not ids.keys() >= set(names) or (is_up and set(one.state.network_status or {}) != set(names)):
        raise UncertainError
    return names or [_mode(one)]


def _mode(one: _Known) -> str:
    config = one.config
    if config.net_ns_ctr:
        return f"container:{config.net_ns_ctr}"
    if config.create_net_ns:
        if config.network_mode == "bridge" and one.listed.networks:
            return "bridge"
        raise UncertainError
    spaces = [space for space in config.spec.linux.namespaces if space.type == "network"]
    # Of one that joins a namespace by its path nothing was tried.
    if one.listed.networks or any(space.path for space in spaces):
        raise UncertainError
    return "none" if spaces else "host"


def _mounts(one: _Known) -> Iterator[wire.WireMount]:
    """Tell what a person, an image or a tool mounted: named volumes first, and no tmpfs. What is mounted by overlays of
    its own shows only while it is, and then twice."""
    config = one.config
    places = set(config.user_volumes or ())
    if one.listed.mounts is msgspec.UNSET or places != set(one.listed.mounts or ()):
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
