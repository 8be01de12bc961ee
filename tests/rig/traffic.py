"""What dockersweep may ask an engine for, and what it may have removed: the judge of recorded traffic."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tests.rig.allowed import (
    ALLOWED_CALLS,
    ARCHIVING_CALLS,
    BASIC_CALLS,
    READING_CALLS,
    RESTORING_CALLS,
    SWARM_CALLS,
    allows,
)

if TYPE_CHECKING:
    from tests.rig.recorder import Request

REMOVING = {"sweep", "apply"}
"""The verbs that may send something else than GET."""
_VERBS = REMOVING | {
    "scan", "plan", "report", "explain", "history", "policy", "schema", "completion", "docker-plugin", "man",
    "swarm", "restore",
}  # fmt: skip
MADE_TO_READ = "dockersweep-archiving"
"""How the names begin of containers and images that are made to read volumes."""
_NEEDED = {
    "containers": {"v": "0", "force": "0"},
    "images": {"noprune": "1", "force": "0"},
    "volumes": {"force": "0"},
    "networks": {},
}
"""The parameters of each DELETE, all of them."""
_PLACES = ("/", "/volume")
"""Where files go back to, with the volume's path in front of their names or without."""
Named = tuple[str, str]
"""What a request asks to remove: the kind, and the id or the name by which it asks."""


def is_allowed(method: str, path: str, params: Mapping[str, str]) -> bool:
    """Return whether dockersweep may ever send this to any engine."""
    if path.endswith("/archive"):
        # Files go only into what was made for that.
        is_own = path.split("/")[2].startswith(MADE_TO_READ)
        return (method == "GET" and "path" in params) or (method == "PUT" and is_own and params.get("path") in _PLACES)
    of_removals = method == "DELETE" or path == "/build/prune"
    if allows(SWARM_CALLS + ARCHIVING_CALLS + RESTORING_CALLS, method, path) and not of_removals:
        return True
    if allows(SWARM_CALLS, method, path):
        return True
    if not allows(ALLOWED_CALLS, method, path):
        return False
    if method == "DELETE":
        return dict(params) == _NEEDED[path.split("/")[1]]
    if method == "POST":
        return params.get("all") == "1" and params.keys() == {"all", "filters"} and _record_ids(params) is not None
    if path == "/events":
        # Without an end the engine goes on telling for ever, which only a watcher wants: it says so to Podman, and of
        # Docker's it wants some alone.
        has_end = "until" in params or params.get("stream") == "false"
        return "since" in params and (has_end or "filters" in params or params.get("stream") == "true")
    return True


def verb_of(arguments: Sequence[str]) -> str | None:
    """Return the verb of a command line."""
    return next((word for word in arguments if word in _VERBS), None)


def removals(request: Request) -> list[Named]:
    """Return what a request asks to remove; nothing for one that reads."""
    if request.method == "DELETE":
        _, kind, name = request.path.split("/", 2)
        # What a run makes to read volumes is its own.
        return [] if name.startswith(MADE_TO_READ) else [(kind.removesuffix("s"), name)]
    if request.path == "/build/prune":
        return [("build-cache", record) for record in _record_ids(request.params) or []]
    return []


def names_of(row: Mapping[str, Any]) -> set[Named]:
    """Return by what a request may ask for a removal of a plan, given as a row of an outcome document."""
    kind, object_id, name = row["kind"], row["id"], row["name"]
    if row["action"] == "untag":
        return {(kind, name), (kind, f"{name}@{object_id}")}
    if kind == "image":
        # As the containerd store calls one without a name.
        return {(kind, object_id), (kind, f"moby-dangling@{object_id}")}
    if kind == "network":
        # Podman minds containers only where it is asked by the name.
        return {(kind, object_id), (kind, name)}
    return {(kind, object_id)}


def strays(requests: Iterable[Request], verb: str | None, rows: Iterable[Mapping[str, Any]] | None) -> Iterator[str]:
    """Return what is wrong with the requests of one run, each in a sentence; nothing where all holds.

    `rows` are the removals of its plan with their outcomes; None where they are not known.
    """
    asked: Counter[Named] = Counter()
    if verb == "swarm":
        # What the nodes do is asked of their own engines, by containers.
        calls = BASIC_CALLS + SWARM_CALLS
        yield from (f"{verb} sent {one}" for one in requests if not allows(calls, one.method, one.path))
        return
    if verb == "restore":
        allowed = READING_CALLS + RESTORING_CALLS
        yield from (f"{verb} sent {one}" for one in requests if not allows(allowed, one.method, one.path))
        return
    of_restore = tuple(call for call in RESTORING_CALLS if call not in ALLOWED_CALLS + ARCHIVING_CALLS)
    for request in requests:
        is_of_others = allows(of_restore, request.method, request.path) or (
            allows(SWARM_CALLS, request.method, request.path) and request.path != "/services"
        )
        if is_of_others:
            yield f"{verb} sent {request}"
        elif not is_allowed(request.method, request.path, request.params):
            yield f"{request} is never allowed"
        elif verb not in REMOVING and (
            request.method != "GET" or allows(ARCHIVING_CALLS, request.method, request.path)
        ):
            yield f"{verb} sent {request}"
        asked.update(removals(request))
    if rows is None:
        return
    planned = {name: row for row in rows for name in names_of(row)}
    for name in asked:
        times = sum(asked[other] for other in names_of(planned[name])) if name in planned else 0
        if not times:
            yield f"the removal of {name} was asked for, and stands in no plan"
        elif times > 1:
            yield f"the removal of {name} was asked for {times} times"
        elif planned[name]["status"] == "not-attempted":
            yield f"the removal of {name} was asked for, and is told as not attempted"
    yield from _unasked(planned.values(), asked)


def _unasked(rows: Iterable[Mapping[str, Any]], asked: Counter[Named]) -> Iterator[str]:
    for row in rows:
        if row["status"] == "removed" and not any(asked[name] for name in names_of(row)):
            yield f"{row['kind']} {row['id']} is told as removed, and nobody asked for that"


def _record_ids(params: Mapping[str, str]) -> list[str] | None:
    """The ids in the filter of a prune of build cache; None where it could mean any other record as well."""
    try:
        filters = json.loads(params.get("filters", ""))
    except ValueError:
        return None
    if not isinstance(filters, dict) or filters.keys() != {"id"} or len(filters["id"]) != 1:
        return None
    match = re.fullmatch(r"\^\(([A-Za-z0-9_|-]+)\)\$", filters["id"][0])
    return match[1].split("|") if match else None
