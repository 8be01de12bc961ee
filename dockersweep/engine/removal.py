"""Removes one object: reads it again, compares it with what was judged, and sends one request.

Where that fails, it looks at what came of it.
"""

import re
from collections.abc import Mapping
from typing import Protocol

from dockersweep.engine.client import DiskUsage, ImageTags, RemovalAnswer, UsagePart
from dockersweep.errors import EngineError, EngineLostError
from dockersweep.model.fingerprint import fingerprint_of, image_fingerprint
from dockersweep.model.inventory import Container, Network, Volume
from dockersweep.model.outcome import Outcome, Status
from dockersweep.model.plan import Fingerprint, Removal


class EngineRemovals(Protocol):
    """What carrying out a plan asks an engine for: removals one by one, and the look before each."""

    @property
    def takes_a_prefix_for_a_volume(self) -> bool: ...
    @property
    def tells_usage_in_parts(self) -> bool: ...
    def volumes(self) -> tuple[tuple[Volume, ...], tuple[str, ...]]: ...
    def containers(self) -> tuple[Container, ...]: ...
    def container(self, container_id: str) -> Container | None: ...
    def image(self, reference: str) -> ImageTags | None: ...
    def volume(self, name: str) -> Volume | None: ...
    def network(self, network_id: str) -> Network | None: ...
    def disk_usage(self, part: UsagePart | None, timeout_seconds: float) -> DiskUsage: ...
    def remove_container(self, container_id: str) -> RemovalAnswer: ...
    def remove_image(self, image_id: str) -> RemovalAnswer: ...
    def untag_image(self, tag: str, image_id: str) -> RemovalAnswer: ...
    def remove_volume(self, name: str) -> RemovalAnswer: ...
    def remove_network(self, network_id: str) -> RemovalAnswer: ...
    def prune_build_cache(self, record_ids: tuple[str, ...], timeout_seconds: float) -> RemovalAnswer: ...


def outcome_of(removal: Removal, status: Status, detail: str | None = None, freed_bytes: int | None = None) -> Outcome:
    """Return the outcome of a removal; `freed_bytes` is what the engine's answer proves. A tag gives back nothing."""
    if status == "removed" and (removal.action == "untag" or removal.kind == "network"):
        freed_bytes = 0
    return Outcome(
        kind=removal.kind,
        id=removal.id,
        name=removal.name,
        action=removal.action,
        status=status,
        detail=detail,
        freed_bytes=freed_bytes,
    )


def remove_one(engine: EngineRemovals, removal: Removal, layer_bytes: Mapping[str, int]) -> Outcome:
    """Carry out one removal of anything but build cache.

    `layer_bytes` are sizes by the ids of parts, like "layer:<chain id>", as far as they are known exactly.

    Raises EngineLostError when nothing answers any more before the removal was sent; after that there is always an
    outcome.
    """
    try:
        now = _look(engine, removal)
        if now is None:
            return outcome_of(removal, "gone", "it was gone already")
        changed = differences(removal.fingerprint, now)
        if changed:
            return outcome_of(removal, "skipped", f"changed since it was judged: {changed}")
        user = _user_that_no_engine_minds(engine, removal)
        if user:
            return outcome_of(removal, "skipped", f"in use: {user}")
    except EngineLostError:
        raise
    except EngineError as error:
        return outcome_of(removal, "failed", f"it could not be read again: {error}")
    return _send(engine, removal, layer_bytes)


def differences(then: Fingerprint, now: Fingerprint) -> str:
    """Return in words what is no longer as it was; empty where nothing changed."""
    return ", ".join(
        f"{key.removesuffix('_at').replace('_', ' ')} was {_shown(then.get(key))}, is {_shown(now.get(key))}"
        for key in now
        if then.get(key) != now[key]
    )


def _shown(value: object) -> str:
    if isinstance(value, list):
        return " and ".join(map(str, value)) or "nothing"
    return "nothing" if value is None else str(value)


def _look(engine: EngineRemovals, removal: Removal) -> Fingerprint | None:
    """Return the fingerprint of the object as it is now; a tag is asked for what it names now."""
    if removal.kind == "image":
        image = engine.image(removal.name if removal.action == "untag" else removal.id)
        return None if image is None else image_fingerprint(image.id, image.tags)
    seen: Container | Volume | Network | None
    if removal.kind == "container":
        seen = engine.container(removal.id)
    elif removal.kind == "volume":
        seen = engine.volume(removal.id)
    else:
        seen = engine.network(removal.id)
    return None if seen is None else fingerprint_of(seen)


def _user_that_no_engine_minds(engine: EngineRemovals, removal: Removal) -> str | None:
    """Engines remove networks that stopped containers name, and untag images that are in use (engine-api.md §4)."""
    if removal.kind == "network":
        names = {removal.id, removal.name}
        users = [seen for seen in engine.containers() if names & set(seen.networks)]
    elif removal.action == "untag":
        users = [seen for seen in engine.containers() if seen.image_id == removal.id]
    elif removal.kind == "volume" and engine.takes_a_prefix_for_a_volume:
        return _volume_of_longer_name(engine, removal)
    else:
        return None
    return f"container {users[0].name} ({users[0].state}) names it" if users else None


def _volume_of_longer_name(engine: EngineRemovals, removal: Removal) -> str | None:
    """Where the name is gone by the time of the request, Podman removes the one volume whose name begins with it."""
    names = [seen.name for seen in engine.volumes()[0] if seen.name.startswith(removal.id)]
    longer = [name for name in names if name != removal.id]
    return f"Podman could remove {longer[0]} in its place" if longer else None


def _send(engine: EngineRemovals, removal: Removal, layer_bytes: Mapping[str, int]) -> Outcome:
    try:
        answer = _ask(engine, removal)
    except EngineError as error:
        return _after_silence(engine, removal, error)
    if answer.status == "removed":
        return _checked(removal, answer, layer_bytes)
    if answer.status == "gone":
        return outcome_of(removal, "gone", "it was gone already")
    if answer.status == "in-use":
        return outcome_of(removal, "skipped", f"in use: {answer.detail}")
    return outcome_of(removal, "failed", f"{answer.detail}{_afterwards(engine, removal)}")


def _checked(removal: Removal, answer: RemovalAnswer, layer_bytes: Mapping[str, int]) -> Outcome:
    """A tag that is one of several takes no image with it: what an engine deletes beside it was not in the plan."""
    deleted = [name for name in answer.named if re.fullmatch(r"(sha256:)?[0-9a-f]{64}", name)]
    if removal.action == "untag" and deleted:
        return outcome_of(removal, "failed", f"the tag had just moved, and the engine deleted {deleted[0]} with it")
    if removal.kind == "image":
        return outcome_of(removal, "removed", freed_bytes=_layers_gone(removal, deleted, layer_bytes))
    # What is gone had these bytes for itself alone.
    return outcome_of(removal, "removed", freed_bytes=exact_bytes(removal))


def exact_bytes(removal: Removal) -> int | None:
    """Return what the removal gives back, where that is known exactly and is the same whatever else went or stayed."""
    alone = removal.reclaim_alone
    if alone is None or alone.low_bytes != alone.high_bytes:
        return None
    row = removal.reclaim
    return row.low_bytes if row.low_bytes == row.high_bytes == alone.low_bytes else None


def _layers_gone(removal: Removal, deleted: list[str], layer_bytes: Mapping[str, int]) -> int | None:
    """Docker's classic store names every layer that went; the others name the image alone, which proves nothing."""
    layers = [name for name in deleted if name != removal.id]
    sizes = [layer_bytes.get(f"layer:{name}") for name in layers] + [layer_bytes.get(f"image:{removal.id}")]
    unnamed = not layers and removal.reclaim.high_bytes != layer_bytes.get(f"image:{removal.id}")
    return None if unnamed or None in sizes else sum(size or 0 for size in sizes)


def _ask(engine: EngineRemovals, removal: Removal) -> RemovalAnswer:
    if removal.action == "untag":
        return engine.untag_image(removal.name, removal.id)
    if removal.kind == "container":
        return engine.remove_container(removal.id)
    if removal.kind == "image":
        return engine.remove_image(removal.id)
    if removal.kind == "volume":
        return engine.remove_volume(removal.id)
    return engine.remove_network(removal.id)


def _after_silence(engine: EngineRemovals, removal: Removal, error: EngineError) -> Outcome:
    """The request may have been carried out: the object is looked up, and never asked for twice."""
    try:
        now = _look(engine, removal)
    except EngineError:
        return outcome_of(removal, "failed", f"what became of it is not known: {error}")
    if now is None:
        return outcome_of(removal, "removed", f"it is gone, though no answer came: {error}")
    return outcome_of(removal, "failed", f"it is still there: {error}")


def _afterwards(engine: EngineRemovals, removal: Removal) -> str:
    """A failed removal is not "unchanged": Docker can leave a dead container, Podman data without an object."""
    try:
        now = _look(engine, removal)
    except EngineError:
        return "; it could not be looked at again"
    if now is None:
        return "; the engine no longer lists it, but may have left its data behind"
    changed = differences(removal.fingerprint, now)
    return f"; it is changed: {changed}" if changed else ""
