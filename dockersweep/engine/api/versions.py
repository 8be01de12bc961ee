"""Versions of engines and of their API, as pairs of numbers, and the choice of one that both sides know."""

from collections.abc import Mapping

from dockersweep.engine.api.wire import WireComponent, WireVersion
from dockersweep.errors import EngineError

ApiVersion = tuple[int, int]

OLDEST_API: ApiVersion = (1, 40)
# From 1.52 on /system/df has another shape; an engine of 29 still speaks 1.51 (API history, engine-api.md §0.8).
NEWEST_API: ApiVersion = (1, 51)
PODMAN = "Podman Engine"
"""Podman's name among the components of /version."""


def podman_of_ping(headers: Mapping[bytes, bytes]) -> WireVersion | None:
    """Return the version of a Podman from the headers of its answer to /_ping: for /version it inspects each container.
    None if it is not a Podman, or if /version has to show whether there is an API version that we know."""
    version, api = (headers.get(name, b"").decode("latin-1") for name in (b"libpod-api-version", b"api-version"))
    newest = version_pair(api)
    if not version or newest is None or not OLDEST_API <= newest <= NEWEST_API:
        return None
    return WireVersion(version, api, components=[WireComponent(PODMAN)])


def choose_api(version: WireVersion, where: str) -> ApiVersion:
    """Return the newest API version that both the engine and dockersweep know.

    Raises EngineError if there is none; it calls the engine `where`.
    """
    newest, oldest = version_pair(version.api_version), version_pair(version.min_api_version)
    if newest is None:
        raise EngineError(f"{where} does not say which API version it speaks: is it a Docker engine?")
    if newest < OLDEST_API:
        raise EngineError(
            f"{where} is Docker {version.version} and speaks API {version.api_version} at the most; "
            f"dockersweep needs {dotted(OLDEST_API)} (Docker 19.03) or newer: update the engine"
        )
    if oldest is not None and oldest > NEWEST_API:
        raise EngineError(
            f"{where} is Docker {version.version} and speaks API {version.min_api_version} or newer; "
            f"this dockersweep knows {dotted(NEWEST_API)} at the most: update dockersweep"
        )
    return min(newest, NEWEST_API)


def version_pair(version: str) -> tuple[int, int] | None:
    """Return the first two numbers of a version, "28.5.2" or "1.51"; None if it does not begin with two."""
    parts = version.split(".")
    try:
        return int(parts[0]), int(parts[1])
    except (ValueError, IndexError):
        return None


def dotted(version: tuple[int, int]) -> str:
    """Return a pair as text: "1.51"."""
    return f"{version[0]}.{version[1]}"
