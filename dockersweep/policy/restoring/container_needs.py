"""What a container cannot be without, by its inspect document: an image, volumes, networks, other containers."""

from collections.abc import Iterator

from msgspec import Struct

from dockersweep.model.inspect_document import Json, image_id_of, part, parts, values

WITHOUT_NETWORK = frozenset({"", "none", "host", "default", "bridge", "private", "slirp4netns", "pasta"})
"""Network modes that name no network, or one that is always there."""


class ContainerNeeds(Struct, frozen=True):
    """What a container names."""

    image_id: str
    image_name: str
    volumes: tuple[str, ...]
    networks: tuple[str, ...]
    """Names or ids."""
    containers: tuple[str, ...]
    """Names or ids of those whose namespaces it joins, or that it is linked to."""


def needs_of(document: Json) -> ContainerNeeds:
    """Return what the container of a document names."""
    host = part(document, "HostConfig")
    return ContainerNeeds(
        image_id=image_id_of(document),
        image_name=str(part(document, "Config").get("Image") or document.get("ImageName") or ""),
        volumes=tuple(dict.fromkeys(_volumes(document, host))),
        networks=tuple(dict.fromkeys(_networks(document, host))),
        containers=tuple(dict.fromkeys(_containers(host))),
    )


def _volumes(document: Json, host: Json) -> Iterator[str]:
    for mount in parts(document, "Mounts"):
        if mount.get("Type") == "volume" and mount.get("Name"):
            yield str(mount["Name"])
    for spec in parts(host, "Mounts"):
        if spec.get("Type") == "volume" and spec.get("Source"):
            yield str(spec["Source"])


def _networks(document: Json, host: Json) -> Iterator[str]:
    mode = str(host.get("NetworkMode") or "")
    connected = part(part(document, "NetworkSettings"), "Networks")
    for name in (*connected, *(() if ":" in mode else (mode,))):
        if name not in WITHOUT_NETWORK:
            yield str(name)


def _containers(host: Json) -> Iterator[str]:
    for key in ("NetworkMode", "PidMode", "IpcMode"):
        kind, _, reference = str(host.get(key) or "").partition(":")
        if kind == "container" and reference:
            yield reference
    for link in values(host, "Links"):
        yield str(link).partition(":")[0].removeprefix("/")
