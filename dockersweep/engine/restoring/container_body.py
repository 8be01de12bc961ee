"""Turns the inspect document of a removed container into the request that makes it again.

The document comes from an archive, so nothing in it is trusted to have the expected type.
"""

from collections.abc import Container, Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from dockersweep.model.inspect_document import Json, part, parts, values

_SHORT_ID = 12
WITHOUT_ENDPOINT = ("none", "host")
"""Network modes without a network to connect to."""
_OF_ENDPOINT = ("IPAMConfig", "Links", "Aliases", "DriverOpts", "MacAddress", "GwPriority")
"""What a person may have asked for at the connection to a network; the rest of it the engine assigns."""
_OF_OTHER_SYSTEMS = ("ArgsEscaped", "OnBuild")
_OF_PODMAN = ("io.container.manager", "io.podman.", "org.opencontainers.image.", "org.systemd.property.")
"""How the annotations begin that Podman makes itself of what else the document tells."""


class ContainerBody(Struct, frozen=True):
    """The request that makes a container, and what follows it."""

    body: dict[str, Any]
    """The body of POST /containers/create."""
    connections: tuple[tuple[str, dict[str, Any]], ...]
    """Further networks to connect it to, each with its settings: before API 1.44 a container is created with one."""


class Surroundings(Struct, frozen=True):
    """What a container is made again in."""

    networks: Mapping[str, str] = field(default_factory=dict)
    """The names of networks by the ids that they had: what is made again has another id."""
    containers: Mapping[str, str] = field(default_factory=dict)
    """The names of containers likewise."""
    host_name: str | None = None
    """The engine's."""
    empty_volumes: frozenset[str] = frozenset()
    """The names of volumes that are made again without a file: an engine would fill them from the image."""
    image_has_entrypoint: bool = False
    is_podman: bool = False


def container_body(document: Json, image: str, around: Surroundings) -> ContainerBody:
    """Return the request for a container like the one of a document, from an image."""
    networks, containers = around.networks, around.containers
    config = {key: value for key, value in part(document, "Config").items() if key not in _OF_OTHER_SYSTEMS}
    if config.get("Hostname") in (str(document.get("Id", ""))[:_SHORT_ID], around.host_name):
        # The engine's own choice, and so again.
        config.pop("Hostname", None)
    if around.image_has_entrypoint and not config.get("Entrypoint"):
        # An empty text is how to ask for none.
        config["Entrypoint"] = [""]
    host = dict(part(document, "HostConfig"))
    mode = _mode(str(host.get("NetworkMode") or "default"), networks, containers)
    host["NetworkMode"] = mode
    host["VolumesFrom"] = None
    host["Links"] = [_link(text) for text in _texts(host, "Links")]
    host.update(_mounting(document, host, around.empty_volumes))
    for key in ("PidMode", "IpcMode"):
        host[key] = _of_container(str(host.get(key) or ""), containers)
    if host["IpcMode"].partition(":")[0] in ("host", "container"):
        host["ShmSize"] = 0
    if around.is_podman:
        host.update(_for_podman(host))
    endpoints = {} if mode in WITHOUT_ENDPOINT or mode.startswith("container:") else _endpoints(document, networks)
    first = mode if mode in endpoints else next(iter(endpoints), None)
    body = {**config, "Image": image, "HostConfig": host}
    if first is not None:
        body["NetworkingConfig"] = {"EndpointsConfig": {first: endpoints[first]}}
    others = tuple((name, settings) for name, settings in endpoints.items() if name != first)
    return ContainerBody(body, others)


def _for_podman(host: Json) -> dict[str, Any]:
    """Return what Podman tells in one way and takes only in another."""
    changed: dict[str, Any] = {"Annotations": own_annotations(host)}
    if host.get("NanoCpus"):
        # It tells them both ways.
        changed.update(CpuPeriod=0, CpuQuota=0)
    if not host.get("MemorySwappiness"):
        # 0 is what it tells where none was set, and a limit that no container starts with where it is asked for.
        changed["MemorySwappiness"] = None
    # The mode is not told, and an empty one not taken.
    changed["Devices"] = [
        {**device, "CgroupPermissions": device.get("CgroupPermissions") or "rwm"} for device in parts(host, "Devices")
    ]
    return changed


def own_annotations(host: Json) -> dict[str, Any]:
    """Return the annotations that somebody gave a container."""
    annotations = part(host, "Annotations")
    return {key: value for key, value in annotations.items() if not str(key).startswith(_OF_PODMAN)}


def mounts(document: Json) -> Iterator[Json]:
    """Return what a container mounts, as its inspect document tells."""
    return parts(document, "Mounts")


def _texts(document: Json, key: str) -> list[str]:
    return [text for text in values(document, key) if isinstance(text, str)]


def _mode(mode: str, networks: Mapping[str, str], containers: Mapping[str, str]) -> str:
    return networks.get(mode) or _of_container(mode, containers)


def _of_container(mode: str, containers: Mapping[str, str]) -> str:
    """Return "container:NAME" for the mode of a container that was made again, any other mode as it is."""
    kind, _, reference = mode.partition(":")
    return f"container:{containers[reference]}" if kind == "container" and reference in containers else mode


def _link(text: str) -> str:
    """Return "db:alias" of "/db:/web/alias", as inspect tells a link."""
    target, _, alias = text.partition(":")
    return f"{target.removeprefix('/')}:{alias.rpartition('/')[2]}" if alias else text


def _mounting(document: Json, host: Json, empty: Container[str]) -> dict[str, Any]:
    """Return Binds and Mounts with the name of each volume: those of anonymous volumes, and of volumes that came from
    another container, stand in the list of mounts alone."""
    by_place = {str(mount.get("Destination")): mount for mount in mounts(document)}
    binds = [_bind(bind, empty) for bind in _texts(host, "Binds")]
    placed, specs = set(map(place_of_bind, binds)), []
    for spec in parts(host, "Mounts"):
        place = str(spec.get("Target"))
        placed.add(place)
        specs.append(_mount(spec, by_place.get(place, {}).get("Name"), empty))
    for place, mount in by_place.items():
        if place not in placed and mount.get("Type") in ("volume", "bind"):
            source = mount.get("Name") if mount.get("Type") == "volume" else mount.get("Source")
            binds.append(_bind(f"{source}:{place}" + ("" if mount.get("RW", True) else ":ro"), empty))
    return {"Binds": binds, "Mounts": specs}


def _bind(bind: str, empty: Container[str]) -> str:
    """Return a bind that leaves an empty volume empty."""
    source, _, rest = bind.partition(":")
    if source not in empty or "nocopy" in rest.split(":")[-1].split(","):
        return bind
    return f"{bind},nocopy" if rest.count(":") else f"{bind}:nocopy"


def _mount(spec: Json, name: object, empty: Container[str]) -> dict[str, Any]:
    """Return a mount with the name of its volume, that leaves an empty one empty."""
    if spec.get("Type") != "volume":
        return dict(spec)
    source = spec.get("Source") or name
    options = part(spec, "VolumeOptions")
    if source in empty:
        return {**spec, "Source": source, "VolumeOptions": {**options, "NoCopy": True}}
    return {**spec, "Source": source} if source else dict(spec)


def place_of_bind(bind: str) -> str:
    """Return the path in the container of "source:/path:options"."""
    parts = bind.split(":")
    return parts[1] if len(parts) > 1 else parts[0]


def _endpoints(document: Json, networks: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    # Docker adds the id to them until 24, and Podman does with the host name too.
    added = (str(document.get("Id", ""))[:_SHORT_ID], part(document, "Config").get("Hostname"))
    found: dict[str, dict[str, Any]] = {}
    for name, told in part(part(document, "NetworkSettings"), "Networks").items():
        settings = told if isinstance(told, Mapping) else {}
        asked = {key: settings[key] for key in _OF_ENDPOINT if settings.get(key)}
        if "Aliases" in asked:
            asked["Aliases"] = [alias for alias in _texts(asked, "Aliases") if alias not in added]
        found[networks.get(name, name)] = asked
    return found
