"""Removes one object: reads it again, compares it with what was judged, and sends one request.

Where that fails, it looks at what came of it.
"""

import re
from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.engine.api.answers import DiskUsage, ImageTags, UsagePart
from dockersweep.engine.api.quirks import Quirks
from dockersweep.engine.api.removal_answer import RemovalAnswer
from dockersweep.engine.removing.reconnect import Reconnect
from dockersweep.engine.removing.shared_call import SharedCall
from dockersweep.errors import EngineError, EngineLostError
from dockersweep.model.attempt import outcome_for
from dockersweep.model.fingerprint import Fingerprint, differences, fingerprint_of, image_fingerprint
from dockersweep.model.inventory import Container, Network, ObjectRef, Service, Volume
from dockersweep.model.naming import short_id
from dockersweep.model.outcome import Outcome, Status
from dockersweep.model.plan import Removal
from dockersweep.model.quantities import known_sum


class EngineRemovals(Protocol):
    """What carrying out a plan asks an engine for: removals one by one, and the look before each."""

    @property
    def quirks(self) -> Quirks: ...
    @property
    def removal_seconds(self) -> float: ...
    def check_back(self) -> None: ...
    def services(self) -> tuple[Service, ...]: ...
    def volume_names(self, beginning: str) -> tuple[str, ...]: ...
    def containers(self) -> tuple[Container, ...]: ...
    def container(self, container_id: str) -> Container | None: ...
    def image(self, reference: str) -> ImageTags | None: ...
    def volume(self, name: str) -> Volume | None: ...
    def network(self, reference: str) -> Network | None: ...
    def networks(self) -> tuple[Network, ...]: ...
    def disk_usage(self, part: UsagePart | None, timeout_seconds: float) -> DiskUsage: ...
    def remove_container(self, container_id: str) -> RemovalAnswer: ...
    def remove_image(self, image_id: str, is_nameless: bool) -> RemovalAnswer: ...
    def untag_image(self, tag: str, image_id: str) -> RemovalAnswer: ...
    def remove_volume(self, name: str) -> RemovalAnswer: ...
    def remove_network(self, reference: str) -> RemovalAnswer: ...
    def prune_build_cache(self, record_ids: tuple[str, ...]) -> RemovalAnswer: ...


class Record(Protocol):
    """Who is told of each removal as it happens. Safe for several threads.

    Raises LedgerError where it cannot be written and has to be.
    """

    def sending(self, removal: Removal) -> None:
        """A request for it is about to be sent."""

    def ended(self, removal: Removal, outcome: Outcome) -> None:
        """This became of it, whether anything was sent or not."""

    def failed_inside(self, error: Exception) -> None:
        """An error of our own ends the run; where it was raised is in its traceback."""


class ListsNow:
    """The lists that removals are held against, each as it is after it was asked for."""

    def __init__(self, engine: EngineRemovals) -> None:
        self.containers = SharedCall(engine.containers)
        self.services = SharedCall(engine.services)


class RemovalContext(Struct, frozen=True):
    """What a removal needs beside itself: the engine, who is told of it, and what the plan knew of all objects."""

    engine: EngineRemovals
    record: Record
    reconnect: Reconnect
    lists: ListsNow
    layer_bytes: Mapping[str, int]
    """Sizes of layers and images by the ids of their parts ("layer:<chain id>"), as far as they are known exactly."""
    images: frozenset[str]
    """The ids of all images that were there when the plan was made."""
    going: frozenset[str]
    """The ids of all objects that the plan removes."""
    holder_among: Callable[[tuple[Service, ...], ObjectRef], str | None] | None = None
    """Tells which of the services of the swarm, as they are now, holds an object; None where there are none to ask
    for."""


class SurpriseError(Exception):
    """An engine did something else than it was asked for; what follows must not be asked of it."""

    def __init__(self, outcomes: tuple[Outcome, ...], text: str) -> None:
        """`outcomes` are those of what it was asked for."""
        super().__init__(text)
        self.outcomes = outcomes


def outcome_of(removal: Removal, status: Status, detail: str | None = None, freed_bytes: int | None = None) -> Outcome:
    """Return the outcome of a removal; `freed_bytes` is what the engine's answer proves. A tag frees nothing."""
    if status == "removed" and (removal.action == "untag" or removal.kind == "network"):
        freed_bytes = 0
    return outcome_for(removal, status, detail, freed_bytes)


def unknown_outcome(removal: Removal, error: EngineError) -> Outcome:
    """Return the outcome of a removal that was sent, and of which nothing tells what came of it."""
    return replace(outcome_of(removal, "failed", f"what became of it is not known: {error}"), is_unknown=True)


def remove_one(context: RemovalContext, removal: Removal) -> Outcome:
    """Carry out one removal of anything but build cache.

    Raises EngineLostError when the engine went away before the removal was sent, and does not come back, and
    LedgerError when it cannot be recorded, and so is not sent; after that there is always an outcome, which
    SurpriseError brings along.
    """
    engine = context.engine
    try:
        now = context.reconnect.ask(lambda: _look(engine, removal))
        if now is None:
            return outcome_of(removal, "gone", "it was gone already")
        changed = differences(removal.fingerprint, now)
        if changed:
            return outcome_of(removal, "skipped", f"changed since it was judged: {changed}")
        holder = context.reconnect.ask(
            lambda: _holder_unknown_to_engine(context, removal) or _service_holding(context, removal)
        )
        if holder:
            return outcome_of(removal, "skipped", f"in use: {holder}")
    except EngineLostError:
        raise
    except EngineError as error:
        return outcome_of(removal, "failed", f"it could not be read again: {error}")
    context.record.sending(removal)
    return _send(context, removal)


def _look(engine: EngineRemovals, removal: Removal) -> Fingerprint | None:
    """Return the fingerprint of the object as it is now; a tag is asked for what it names now."""
    if removal.kind == "image":
        image = engine.image(removal.name if removal.action == "untag" else removal.id)
        return None if image is None else image_fingerprint(image.id, image.tags)
    inspected: Container | Volume | Network | None
    if removal.kind == "container":
        inspected = engine.container(removal.id)
    elif removal.kind == "volume":
        inspected = engine.volume(removal.id)
    else:
        reference = _network_reference(engine, removal)
        inspected = engine.network(reference)
        if inspected is not None and inspected.id != removal.id and reference != removal.id:
            # Its name is another's by now.
            return None
    return None if inspected is None else fingerprint_of(inspected)


def _network_reference(engine: EngineRemovals, removal: Removal) -> str:
    """Return what a network is asked for by: on Podman its name, because only then does Podman refuse to remove what
    a container in any state names (5.8, 6.1: by id it removes the network of a running one).

    Podman takes the beginning of another network's id for it, once no network has the name: there it is the id.
    """
    if not engine.quirks.guards_networks_by_name:
        return removal.id
    may_begin_an_id = re.fullmatch("[0-9a-f]+", removal.name)
    if may_begin_an_id and any(network.id.startswith(removal.name) for network in engine.networks()):
        return removal.id
    return removal.name


def _holder_unknown_to_engine(context: RemovalContext, removal: Removal) -> str | None:
    """Engines remove networks that stopped containers name, and untag images that are in use (engine-api.md §4)."""
    engine, containers = context.engine, context.lists.containers
    if removal.kind == "network":
        names = {removal.id, removal.name}
        holders = [container for container in containers.ask() if names & set(container.networks)]
    elif removal.action == "untag":
        holders = [
            container
            for container in containers.ask()
            if container.image_id == removal.id or _mounts(engine, container, removal)
        ]
    elif removal.kind == "image" and engine.quirks.mounts_images:
        holders = [container for container in containers.ask() if _mounts(engine, container, removal)]
    elif removal.kind == "volume" and engine.quirks.takes_a_prefix_for_a_volume:
        return _volume_of_longer_name(engine, removal)
    else:
        return None
    return f"container {holders[0].name} ({holders[0].state}) names it" if holders else None


def _service_holding(context: RemovalContext, removal: Removal) -> str | None:
    """No engine minds what a service names of which no task is here."""
    if context.holder_among is None or removal.kind == "container":
        return None
    return context.holder_among(context.lists.services.ask(), removal.ref)


def _mounts(engine: EngineRemovals, container: Container, removal: Removal) -> bool:
    """Whether a container mounts an image; it tells only by which name."""
    sources = [mount.source for mount in container.mounts if mount.type == "image" and mount.source]
    return any((image := engine.image(source)) is not None and image.id == removal.id for source in sources)


def _volume_of_longer_name(engine: EngineRemovals, removal: Removal) -> str | None:
    """Where the name is gone by the time of the request, Podman removes the one volume whose name begins with it."""
    longer = [name for name in engine.volume_names(removal.id) if name != removal.id]
    return f"Podman could remove {longer[0]} in its place" if longer else None


def _send(context: RemovalContext, removal: Removal) -> Outcome:
    try:
        answer = _ask(context.engine, removal)
    except EngineError as error:
        return _after_silence(context, removal, error)
    if answer.status == "removed":
        return _checked(context, removal, answer)
    if answer.status == "gone":
        return _not_found(context, removal)
    refusal = answer.detail if answer.is_refusal else None
    if answer.status == "in-use":
        return replace(outcome_of(removal, "skipped", f"in use: {answer.detail}"), refusal=refusal, is_there=True)
    is_there, afterwards = _afterwards(context, removal)
    failed = outcome_of(removal, "failed", f"{answer.detail}{afterwards}")
    return replace(failed, refusal=refusal, is_there=is_there)


def _checked(context: RemovalContext, removal: Removal, answer: RemovalAnswer) -> Outcome:
    """Hold the answer against the plan: what an engine deletes or untags beside it was not asked for."""
    deleted = [name for name in answer.deleted if re.fullmatch(r"(sha256:)?[0-9a-f]{64}", name)]
    if removal.action == "untag" and deleted and not (removal.id in deleted and removal.id in context.going):
        # A tag that is one of several takes no image with it, unless somebody took the others off meanwhile.
        text = f"the tag had just moved, and the engine deleted {deleted[0]} with it"
        raise SurpriseError((outcome_of(removal, "failed", text),), f"image {removal.name}: {text}")
    others = [f"deleted the image {name}" for name in deleted if name != removal.id and name in context.images]
    tags = (removal.fingerprint.get("tags") or []) if removal.kind == "image" else []
    assert isinstance(tags, list)
    # References by digest come with the tag.
    others += [f"untagged {name}" for name in answer.untagged if "@" not in name and name not in tags]
    if others:
        text = f"the engine {others[0]} with it"
        raise SurpriseError((outcome_of(removal, "removed", text),), f"image {removal.name}: {text}")
    if removal.kind == "image":
        return outcome_of(removal, "removed", freed_bytes=_layers_gone(removal, deleted, context.layer_bytes))
    # What is gone had these bytes for itself alone.
    return outcome_of(removal, "removed", freed_bytes=exact_bytes(removal))


def exact_bytes(removal: Removal) -> int | None:
    """Return how many bytes the removal frees, where that is exact and does not depend on what else went or stayed."""
    alone = removal.reclaim_alone
    if alone is None or not (alone.is_exact and removal.reclaim.is_exact):
        return None
    return alone.low_bytes if alone.low_bytes == removal.reclaim.low_bytes else None


def _layers_gone(removal: Removal, deleted: list[str], layer_bytes: Mapping[str, int]) -> int | None:
    """Docker's classic store names every layer that went; the others name the image alone, which proves nothing."""
    layers = [name for name in deleted if name != removal.id]
    sizes = [layer_bytes.get(f"layer:{name}") for name in layers] + [layer_bytes.get(f"image:{removal.id}")]
    unnamed = not layers and removal.reclaim.high_bytes != layer_bytes.get(f"image:{removal.id}")
    return None if unnamed else known_sum(sizes)


def _ask(engine: EngineRemovals, removal: Removal) -> RemovalAnswer:
    if removal.action == "untag":
        return engine.untag_image(removal.name, removal.id)
    if removal.kind == "container":
        return engine.remove_container(removal.id)
    if removal.kind == "image":
        return engine.remove_image(removal.id, _is_nameless(removal))
    if removal.kind == "volume":
        return engine.remove_volume(removal.id)
    return engine.remove_network(_network_reference(engine, removal))


def _is_nameless(removal: Removal) -> bool:
    """Whether the image was judged without a tag and without a reference by digest: then it is called by its id."""
    return not removal.fingerprint.get("tags") and removal.name == short_id(removal.id)


def _not_found(context: RemovalContext, removal: Removal) -> Outcome:
    """Say what a 404 means. Of an image that was asked for as one without a name, also that it has got a name."""
    now = None
    if removal.kind == "image" and removal.action == "remove":
        try:
            now = context.reconnect.ask(lambda: _look(context.engine, removal))
        except EngineError as error:
            return outcome_of(removal, "failed", f"the engine did not find it, and then: {error}")
    if now is None:
        return outcome_of(removal, "gone", "it was gone already")
    changed = differences(removal.fingerprint, now) or "it has a name"
    return outcome_of(removal, "skipped", f"changed since it was judged: {changed}")


def _after_silence(context: RemovalContext, removal: Removal, error: EngineError) -> Outcome:
    """The request may have been carried out: the object is looked up, and never asked for twice."""
    try:
        # To one that has taken its place everything is gone.
        context.reconnect.confirm_engine()
        now = context.reconnect.ask(lambda: _look(context.engine, removal))
    except EngineError as why_unknown:
        return unknown_outcome(removal, why_unknown)
    if now is None:
        return outcome_of(removal, "removed", f"it is gone, though no answer came: {error}")
    return replace(outcome_of(removal, "failed", f"it is still there: {error}"), is_there=True)


def _afterwards(context: RemovalContext, removal: Removal) -> tuple[bool | None, str]:
    """Return whether the object is still there after a removal that failed, and what to say of it: Docker can leave a
    dead container, Podman data without an object."""
    try:
        now = context.reconnect.ask(lambda: _look(context.engine, removal))
    except EngineError:
        return None, "; it could not be looked at again"
    if now is None:
        return False, "; the engine no longer lists it, but may have left its data behind"
    changed = differences(removal.fingerprint, now)
    return True, f"; it is changed: {changed}" if changed else ""
