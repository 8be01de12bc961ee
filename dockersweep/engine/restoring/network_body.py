"""Turns the inspect document of a removed network into the request that makes it again."""

from typing import Any

from dockersweep.model.inspect_document import Json, part

_OF_ALL = ("Driver", "ConfigOnly")
_OF_CONNECTIONS = ("Internal", "Attachable", "Ingress", "Scope")
"""What a network has that only holds the configuration of others may not be asked to be."""
_OF_ITSELF = ("Options", "EnableIPv4", "EnableIPv6")
"""What a network has from that which holds its configuration, if it has one."""


def network_body(document: Json, name: str, *, other_subnet: bool) -> dict[str, Any]:
    """Return the body of POST /networks/create for a network like that of a document; with `other_subnet` the engine
    chooses the subnets."""
    source = part(document, "ConfigFrom").get("Network")
    keys = (*_OF_ALL, *(() if document.get("ConfigOnly") else _OF_CONNECTIONS), *(() if source else _OF_ITSELF))
    body: dict[str, Any] = {key: document[key] for key in keys if document.get(key) is not None}
    # Before API 1.44 Docker allows two of one name.
    body.update(Name=name, CheckDuplicate=True, Labels=part(document, "Labels"))
    if source:
        body["ConfigFrom"] = {"Network": source}
        return body
    ipam = part(document, "IPAM")
    configs = ipam.get("Config")
    body["IPAM"] = {
        "Driver": ipam.get("Driver") or "default",
        "Options": ipam.get("Options"),
        "Config": [] if other_subnet or not isinstance(configs, list) else configs,
    }
    return body
