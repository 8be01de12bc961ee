"""What is recorded about an object before its removal, to recognize or recreate it."""

import re
from collections.abc import Iterable, Mapping

from dockersweep.ledger.rows import storable_labels
from dockersweep.model.history import Recognition
from dockersweep.model.inventory import Container, Image, Network, Object, Volume

PULL = "pull"
"""The key of the reference by digest under which a registry has a removed image."""
LOST_UNLESS_ARCHIVED = "lost-unless-archived"
"""The key of what the plan says of the way back, where there is none but the archive; what holds no data has none."""


def recognition_of(item: Object, networks: Mapping[str, str]) -> Recognition:
    """Return what identifies an object besides its kind, id and name. `networks` are the names of networks by id."""
    if type(item) is Container:
        return {
            "image": item.image,
            "labels": storable_labels(item.labels),
            "mounts": [f"{mount.type}:{mount.volume or mount.source or ''}" for mount in item.mounts],
            "networks": _names_of(item.networks, networks),
        }
    if type(item) is Image:
        return {"tags": list(item.tags), "digests": list(item.digests), "labels": storable_labels(item.labels)}
    if type(item) is Volume:
        return {
            "driver": item.driver,
            "options": {key: _without_secrets(value) for key, value in item.options.items()},
            "labels": storable_labels(item.labels),
            "mountpoint": item.mountpoint,
        }
    if type(item) is Network:
        return {"driver": item.driver, "labels": storable_labels(item.labels)}
    return {"type": item.type, "parents": list(item.parents)}


def _names_of(named: Iterable[str], networks: Mapping[str, str]) -> list[str]:
    """Return the names of networks without duplicates: a container refers to a network by its name and by its id
    (NetworkSettings), and to the default one also as "default" (HostConfig.NetworkMode)."""
    names = sorted({networks.get(reference, reference) for reference in named})
    return [name for name in names if name != "default"] or names


def _without_secrets(option: str) -> str:
    """Return a mount option without passwords: "addr=nas,username=u,password=***"."""
    return re.sub(r"(?i)\b(pass\w*|secret\w*|token\w*|cred\w*)=[^,]*", r"\1=***", option)
