"""The requests for an engine's lists, and sending them ahead."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from dockersweep.engine.api.connection import Connection
from dockersweep.engine.api.quirks import Quirks


class ListRequest(NamedTuple):
    """A GET: its path without the version, and its parameters."""

    path: str
    params: Mapping[str, str] = {}


CONTAINERS = ListRequest("/containers/json", {"all": "1"})
PODMAN_CONTAINERS = ListRequest("/libpod/containers/json", {"all": "true", "external": "true"})
NETWORKS = ListRequest("/networks")
VOLUMES = ListRequest("/volumes")


def volumes_that(key: str, value: str) -> ListRequest:
    """Return the request for volumes that match a filter of the engine."""
    return ListRequest("/volumes", {"filters": msgspec.json.encode({key: [value]}).decode()})


FREE_VOLUMES = volumes_that("dangling", "true")


def all_images(quirks: Quirks) -> ListRequest:
    """Return the request for every image, intermediate ones too."""
    params = {"all": "1", "shared-size": "1"}
    if quirks.tells_manifests:
        params["manifests"] = "1"
    return ListRequest("/images/json", params)


def ask_ahead(connection: Connection, prefix: str, quirks: Quirks) -> list[str]:
    """Send the requests for all lists except containers, and return their URLs. Containers are listed last, as in a
    scan: one that was created meanwhile still shows what it holds."""
    requests = (all_images(quirks), VOLUMES, FREE_VOLUMES, NETWORKS)
    return [connection.ask_ahead(prefix + request.path, request.params) for request in requests]


def ask_ahead_of_info(connection: Connection, prefix: str, quirks: Quirks) -> None:
    """Send the requests for all lists of a Podman along with /info, for which it runs eight programs; that for
    containers is sent once the others are answered."""
    info = connection.ask_ahead(f"{prefix}/info", {})
    if connection.answers_all(ask_ahead(connection, prefix, quirks), before=info):
        last = CONTAINERS if quirks.lists_network_mode is None else PODMAN_CONTAINERS
        connection.ask_ahead(prefix + last.path, last.params)
