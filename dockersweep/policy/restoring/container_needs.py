"""What a container cannot be without, by its inspect document: an image, volumes, networks, other containers.

The document comes from an archive, so nothing in it is trusted to have the expected type.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

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


def needs_of(document: Mapping[str, Any]) -> ContainerNeeds:
    """Return what the container of a document names."""
    host = _mapping(document.get("HostConfig"))
    return ContainerNeeds(
        image_id=_image_id(str(document.get("Image") or "")),
        image_name=str(_mapping(document.get("Config")).get("Image") or document.get("ImageName") or ""),
        volumes=tuple(dict.fromkeys(_volumes(document, host))),
        networks=tuple(dict.fromkeys(_networks(document, host))),
        containers=tuple(dict.fromkeys(_containers(host))),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _image_id(told: str) -> str:
    return told if ":" in told or not told else f"sha256:{told}"


def _volumes(document: Mapping[str, Any], host: Mapping[str, Any]) -> Iterator[str]:
    for mount in map(_mapping, _list(document.get("Mounts"))):
        if mount.get("Type") == "volume" and mount.get("Name"):
            yield str(mount["Name"])
    for spec in map(_mapping, _list(host.get("Mounts"))):
        if spec.get("Type") == "volume" and spec.get("Source"):
            yield str(spec["Source"])


def _networks(document: Mapping[str, Any], host: Mapping[str, Any]) -> Iterator[str]:
    mode = str(host.get("NetworkMode") or "")
    connected = _mapping(_mapping(document.get("NetworkSettings")).get("Networks"))
    for name in (*connected, *(() if ":" in mode else (mode,))):
        if name not in WITHOUT_NETWORK:
            yield str(name)


def _containers(host: Mapping[str, Any]) -> Iterator[str]:
    for key in ("NetworkMode", "PidMode", "IpcMode"):
        kind, _, reference = str(host.get(key) or "").partition(":")
        if kind == "container" and reference:
            yield reference
    for link in _list(host.get("Links")):
        yield str(link).partition(":")[0].removeprefix("/")
