"""Emptying a running engine, which is faster than starting a new one as long as there is not much in it."""

from __future__ import annotations

import http.client
from concurrent.futures import ThreadPoolExecutor

from tests.rig.engines.kinds import EngineKind
from tests.rig.engines.wire import RefusalError, Wire

_ROUNDS = 4
_MANY = 60
_THREADS = 4
_PREDEFINED = {"bridge", "host", "none", "podman"}
_REFUSALS = (400, 403, 404, 409, 500)


class NotEmptyError(Exception):
    """Something is left that does not go, or there is too much of it."""


def empty(wire: Wire, kind: EngineKind) -> None:
    """Remove everything from an engine, or raise NotEmptyError."""
    try:
        wire.call("POST", "/swarm/leave", tolerate=(404, 406, 503), force="1")
        # An image may only go after its children, and a second look shows what was made meanwhile.
        for _ in range(_ROUNDS):
            left = _contents(wire, kind)
            if not any(left.values()):
                return
            if sum(map(len, left.values())) > _MANY:
                raise NotEmptyError("it is so full that a new data root is faster")
            _remove(wire, left)
    except (RefusalError, OSError, http.client.HTTPException) as problem:
        raise NotEmptyError(str(problem)) from problem
    raise NotEmptyError(f"{kind.name} keeps {left}")


def _contents(wire: Wire, kind: EngineKind) -> dict[str, list[str]]:
    """The names of everything that is there, in the order in which it can go."""
    networks = wire.call("GET", "/networks")
    cache = wire.call("GET", "/system/df", type="build-cache")["BuildCache"] if kind.has_build_cache else None
    return {
        "containers": [one["Id"] for one in wire.call("GET", "/containers/json", all="1")],
        "images": list(dict.fromkeys(one["Id"] for one in wire.images(intermediates=True))),
        "volumes": [one["Name"] for one in wire.call("GET", "/volumes")["Volumes"] or []],
        "networks": [one["Id"] for one in networks if one["Name"] not in _PREDEFINED],
        "build": [one["ID"] for one in cache or []],
    }


def _remove(wire: Wire, left: dict[str, list[str]]) -> None:
    # A refusal shows in the next look at what is left; 404 is what has gone with something else.
    def delete(path: str, **params: str) -> None:
        wire.raw("DELETE", path, tolerate=_REFUSALS, force="1", **params)

    if left["build"]:
        wire.call("POST", "/build/prune", all="1")
    with ThreadPoolExecutor(_THREADS) as pool:
        # Killing a container takes a while in which the engine can kill the next one.
        list(pool.map(lambda name: delete(f"/containers/{name}", v="1"), left["containers"]))
    for collection in ("images", "volumes", "networks"):
        for name in left[collection]:
            delete(f"/{collection}/{name}")
