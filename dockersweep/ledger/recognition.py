"""What is written down of an object before it is removed, so that it can be known again or made anew."""

import re

from dockersweep.ledger.rows import storable_labels
from dockersweep.model.history import Recognition
from dockersweep.model.inventory import Container, Image, Network, Object, Volume


def recognition_of(seen: Object) -> Recognition:
    """Return what an object was, beside its kind, id and name."""
    if type(seen) is Container:
        return {
            "image": seen.image,
            "labels": storable_labels(seen.labels),
            "mounts": [f"{mount.type}:{mount.volume or mount.source or ''}" for mount in seen.mounts],
            "networks": list(seen.networks),
        }
    if type(seen) is Image:
        return {"tags": list(seen.tags), "digests": list(seen.digests), "labels": storable_labels(seen.labels)}
    if type(seen) is Volume:
        return {
            "driver": seen.driver,
            "options": {key: _without_secrets(value) for key, value in seen.options.items()},
            "labels": storable_labels(seen.labels),
            "mountpoint": seen.mountpoint,
        }
    if type(seen) is Network:
        return {"driver": seen.driver, "labels": storable_labels(seen.labels)}
    return {"type": seen.type, "parents": list(seen.parents)}


def _without_secrets(option: str) -> str:
    """Return a mount option without passwords: "addr=nas,username=u,password=***"."""
    return re.sub(r"(?i)\b(pass\w*|secret\w*|token\w*|cred\w*)=[^,]*", r"\1=***", option)
