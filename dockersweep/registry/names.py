"""Names of images as registries have them: `localhost:5000/team/app@sha256:...` is a host, a repository, a digest."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

from msgspec import Struct

from dockersweep.model.image_references import with_registry
from dockersweep.registry.unknown import NotKnownError

HUB = "docker.io"
_HUB_HOST = "registry-1.docker.io"
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?")
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,128}")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_LOOPBACK = ("127.0.0.0/8", "::1/128")

Scheme = Literal["http", "https"]


class Name(Struct, frozen=True):
    """One image in one registry."""

    registry: str
    """HOST or HOST:PORT as it stands in names of images; "docker.io" for Docker Hub."""
    repository: str
    reference: str
    """A digest or a tag."""

    @property
    def host(self) -> str:
        """HOST or HOST:PORT to connect to."""
        return _HUB_HOST if self.registry == HUB else self.registry


def name_of(reference: str) -> Name:
    """Return the parts of a reference by tag or digest; raises NotKnownError for what no registry can have."""
    whole = with_registry(reference)
    registry, _, rest = whole.partition("/")
    repository, at, digest = rest.partition("@")
    head, colon, tag = repository.rpartition(":")
    if colon:
        repository = head
    is_valid = _DIGEST.fullmatch(digest) if at else colon and _TAG.fullmatch(tag)
    if not (is_valid and _HOST.fullmatch(registry) and _REPOSITORY.fullmatch(repository)):
        raise NotKnownError("no registry can have such a name")
    return Name(registry, repository, digest if at else tag)


def hostname_of(host: str) -> str:
    """Return HOST of HOST:PORT, without the brackets of an IPv6 address."""
    return re.sub(r":\d+$", "", host).strip("[]").lower()


def is_loopback(host: str) -> bool:
    """Whether HOST or HOST:PORT is this very machine."""
    name = hostname_of(host)
    return name == "localhost" or is_in(name, _LOOPBACK)


def is_in(address: str, networks: tuple[str, ...]) -> bool:
    """Whether an IP address lies in any of these networks; a name lies in none."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in _networks(networks))


def _networks(texts: tuple[str, ...]) -> list[IPv4Network | IPv6Network]:
    networks: list[IPv4Network | IPv6Network] = []
    for text in texts:
        try:
            networks.append(ip_network(text, strict=False))
        except ValueError:
            continue
    return networks
