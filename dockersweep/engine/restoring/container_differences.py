"""What a container that was made again is not as it was, by both inspect documents."""

from collections.abc import Iterator, Mapping
from typing import Any

from dockersweep.engine.restoring.container_body import mounts, own_annotations
from dockersweep.model.inspect_document import Json, part
from dockersweep.model.restoring import RESTORED_FROM

MOST_DIFFERENCES = 20
_NOT_COMPARED = frozenset(
    {"Config.Image", "Config.Hostname", "Config.ExposedPorts", "HostConfig.Binds", "HostConfig.Mounts"}
)
_OF_ENDPOINT = ("IPAMConfig", "Links", "DriverOpts")


def differences(before: Json, after: Json) -> tuple[str, ...]:
    """Return what is not as it was: "HostConfig.Memory was 64000000, is 0". The id and what follows from it, the name
    and the image are not compared."""
    old, new = _facts(before), _facts(after)
    found = [
        f"{key} was {_words(old.get(key))}, is {_words(new.get(key))}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]
    more = len(found) - MOST_DIFFERENCES
    return (*found[:MOST_DIFFERENCES], *((f"and {more} more settings",) if more > 0 else ()))


def _facts(document: Json) -> dict[str, Any]:
    """Return what makes a container, without empty values: engines tell them in many ways."""
    facts = {f"Config.{key}": value for key, value in part(document, "Config").items()}
    facts |= {f"HostConfig.{key}": value for key, value in part(document, "HostConfig").items()}
    labels = part(part(document, "Config"), "Labels")
    facts["Config.Labels"] = {key: value for key, value in labels.items() if key != RESTORED_FROM}
    facts["HostConfig.Annotations"] = own_annotations(part(document, "HostConfig"))
    facts |= dict(_mounted(document))
    facts |= dict(_connected(document))
    own = (str(document.get("Id", "")), str(document.get("Id", ""))[:12])
    return {
        key: _plain(value) for key, value in facts.items() if key not in _NOT_COMPARED and value and value not in own
    }


def _mounted(document: Json) -> Iterator[tuple[str, Any]]:
    for mount in mounts(document):
        source = mount.get("Name") if mount.get("Type") == "volume" else mount.get("Source")
        yield f"mount {mount.get('Destination')}", f"{mount.get('Type')} {source} {'rw' if mount.get('RW') else 'ro'}"


def _connected(document: Json) -> Iterator[tuple[str, Any]]:
    networks = part(part(document, "NetworkSettings"), "Networks")
    for name, told in networks.items():
        settings = told if isinstance(told, Mapping) else {}
        yield f"network {name}", "connected"
        for key in _OF_ENDPOINT:
            yield f"network {name}.{key}", settings.get(key)


def _plain(value: Any) -> Any:
    """Return a value with lists in no order, and without what is empty in it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items() if item or item is False}
    if isinstance(value, list):
        return sorted((_plain(item) for item in value), key=repr)
    return value


def _words(value: Any) -> str:
    return "not set" if value in (None, {}, []) else str(value)[:100]
