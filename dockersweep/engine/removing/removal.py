"""Removes one object: reads it again, compares it with what was judged, and sends one request.

If the request fails, the object is looked up again.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import replace

from dockersweep.engine.api.answers import DiskUsage, ImageTags, UsagePart
from dockersweep.engine.api.quirks import Quirks
from dockersweep.engine.api.removal_answer import RemovalAnswer
from dockersweep.engine.removing.reconnect import Reconnect
from dockersweep.engine.removing.shared_call import SharedCall
from dockersweep.errors import EngineError, EngineLostError, LedgerError, NotArchivedError
from dockersweep.model.attempt import outcome_for
from dockersweep.model.fingerprint import Fingerprint, differences, fingerprint_of, image_fingerprint
from dockersweep.model.inventory import Container, Network, ObjectRef, Service, Volume
from dockersweep.model.naming import short_id
from dockersweep.model.outcome import Outcome, Status
from dockersweep.model.plan import Removal
from dockersweep.model.quantities import known_sum
from dockersweep.model.recovery import Recovery

INTERRUPTED = "interrupted"
"""Why a sweep ended early that was asked to stop."""


class EngineRemovals(Protocol):
    """The requests that carrying out a plan makes: removals, and reads before each."""

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
    def network(self, reference: str) -> tuple[Network, bytes] | None: ...
    def networks(self) -> tuple[Network, ...]: ...
    def disk_usage(self, part: UsagePart | None, timeout_seconds: float) -> DiskUsage: ...
    def remove_container(self, container_id: str) -> RemovalAnswer: ...
    def remove_image(self, image_id: str, is_nameless: bool) -> RemovalAnswer: ...
    def untag_image(self, tag: str, image_id: str) -> RemovalAnswer: ...
    def remove_volume(self, name: str) -> RemovalAnswer: ...
    def remove_network(self, reference: str) -> RemovalAnswer: ...
    def prune_build_cache(self, record_ids: tuple[str, ...]) -> RemovalAnswer: ...


class Record(Protocol):
    """Records each removal as it happens. Safe for several threads.

    Raises LedgerError if it cannot be written although it is required.
    """

    def sending(self, removal: Removal, document: bytes | None = None) -> None:
        """Record that a request for it is about to be sent, and of a network the engine's document about it, with which
        it can be made again."""

    def ended(self, removal: Removal, outcome: Outcome) -> None:
        """Record its outcome, whether anything was sent or not."""

    def failed_inside(self, error: Exception) -> None:
        """Record that a bug in dockersweep ends the run."""


class WayBack(NamedTuple):
    """How the removal of an object can be taken back that was archived, or goes without."""

    recovery: Recovery
    archived_bytes: int | None
    """What it takes in the archive; None where it is not there."""


class InterruptedArchivingError(Exception):
    """The run was asked to stop while it archived an object."""


class Archiver(Protocol):
    """Puts objects into the archive. Safe for several threads."""

    def archive(self, removal: Removal) -> WayBack:
        """Archive an object, once, however many tags it loses before it is removed.

        Raises NotArchivedError with the reason for which it has to stay, EngineError, LedgerError, and
        InterruptedArchivingError.
        """


class ListsNow:
    """The lists that removals are checked against; never older than the request for them."""

    def __init__(self, engine: EngineRemovals) -> None:
        self.containers = SharedCall(engine.containers)
        self.services = SharedCall(engine.services)


class RemovalContext(Struct, frozen=True):
    """What each removal needs: the engine, the record, and what the plan knew about all objects."""

    engine: EngineRemovals
    record: Record
    reconnect: Reconnect
    lists: ListsNow
    layer_bytes: Mapping[str, int]
    """Exactly known sizes of layers and images by the ids of their parts ("layer:<chain id>")."""
    images: frozenset[str]
    """The ids of all images that existed when the plan was made."""
    going: frozenset[str]
    """The ids of all objects that the plan removes."""
    holder_among: Callable[[tuple[Service, ...], ObjectRef], str | None] | None = None
    """Returns which of the swarm's current services uses an object; None if there is no swarm to ask."""
    archiver: Archiver | None = None
    """The archive; None if there is none."""


class SurpriseError(Exception):
    """An engine did something that it was not asked for; nothing more may be requested."""

    def __init__(self, outcomes: tuple[Outcome, ...], text: str) -> None:
        """`outcomes` are those of the requested removals."""
        super().__init__(text)
        self.outcomes = outcomes


def outcome_of(removal: Removal, status: Status, detail: str | None = None, freed_bytes: int | None = None) -> Outcome:
    """Return the outcome of a removal; `freed_bytes` is what the answer proves. Tags and networks free nothing."""
    if status == "removed" and (removal.action == "untag" or removal.kind == "network"):
        freed_bytes = 0
    return outcome_for(removal, status, detail, freed_bytes)


def unknown_outcome(removal: Removal, error: EngineError) -> Outcome:
    """Return the outcome of a removal that was sent, but whose result is unknown."""
    return replace(outcome_of(removal, "failed", f"what became of it is not known: {error}"), is_unknown=True)


def remove_one(context: RemovalContext, removal: Removal) -> Outcome:
    """Carry out one removal of anything but build cache; what has to is archived before.

    Raises EngineLostError if the engine went away before the removal was sent, and does not come back, and LedgerError
    if it cannot be recorded, and so is not sent. After that there is always an outcome; a SurpriseError has it too.
    """
    way_back: WayBack | None = None
    try:
        looked = _look_again(context, removal)
        if isinstance(looked, _Looked) and removal.recovery is not None and removal.recovery.asks_archive:
            way_back = _archived(context, removal)
            # Archiving may take long.
            looked = _look_again(context, removal)
    except (EngineLostError, LedgerError):
        raise
    except InterruptedArchivingError:
        return outcome_of(removal, "not-attempted", INTERRUPTED)
    except NotArchivedError as error:
        return replace(outcome_of(removal, "skipped", f"not archived: {error}"), is_not_archived=True)
    except EngineError as error:
        return outcome_of(removal, "failed", f"it could not be read again: {error}")
    if not isinstance(looked, _Looked):
        return looked
    context.record.sending(removal, looked.document)
    outcome = _send(context, removal)
    if way_back is None or outcome.status != "removed":
        return outcome
    archived_bytes = way_back.archived_bytes if removal.action == "remove" else None
    if way_back.recovery.how == "none":
        outcome = replace(outcome, detail=f"removed without an archive: {way_back.recovery.text}")
    return replace(outcome, recovery=way_back.recovery, archived_bytes=archived_bytes)


def _archived(context: RemovalContext, removal: Removal) -> WayBack:
    """Archive an object; if the engine goes away meanwhile, wait for it and begin again, once."""
    if context.archiver is None:
        raise NotArchivedError("no archive is open")
    try:
        return context.archiver.archive(removal)
    except EngineLostError:
        context.reconnect.confirm_engine()
    except EngineError as error:
        raise NotArchivedError(str(error)) from None
    try:
        return context.archiver.archive(removal)
    except EngineError as error:
        raise NotArchivedError(str(error)) from None


class _Looked(NamedTuple):
    """An object just before its removal: it is what was judged, and nothing holds it."""

    document: bytes | None
    """The engine's document about a network."""


def _look_again(context: RemovalContext, removal: Removal) -> _Looked | Outcome:
    """Look at the object again; return the outcome if it is gone, has changed, or is held. Raises EngineError."""
    now, document = context.reconnect.ask(lambda: _look_whole(context.engine, removal))
    if now is None:
        return outcome_of(removal, "gone", "it was gone already")
    changed = differences(removal.fingerprint, now)
    if changed:
        return outcome_of(removal, "skipped", f"changed since it was judged: {changed}")
    holder = context.reconnect.ask(
        lambda: _holder_unknown_to_engine(context, removal) or _service_holding(context, removal)
    )
    return outcome_of(removal, "skipped", f"in use: {holder}") if holder else _Looked(document)


def _look(engine: EngineRemovals, removal: Removal) -> Fingerprint | None:
    """Return the current fingerprint of the object; for a tag that of the image it names now."""
    return _look_whole(engine, removal)[0]


def _look_whole(engine: EngineRemovals, removal: Removal) -> tuple[Fingerprint | None, bytes | None]:
    """Return the same and, of a network, the engine's document about it."""
    if removal.kind == "image":
        image = engine.image(removal.name if removal.action == "untag" else removal.id)
        return None if image is None else image_fingerprint(image.id, image.tags), None
    if removal.kind == "network":
        return _look_at_network(engine, removal)
    inspected = engine.container(removal.id) if removal.kind == "container" else engine.volume(removal.id)
    return None if inspected is None else fingerprint_of(inspected), None


def _look_at_network(engine: EngineRemovals, removal: Removal) -> tuple[Fingerprint | None, bytes | None]:
    reference = _network_reference(engine, removal)
    found = engine.network(reference)
    # Another network may have the name by now.
    if found is None or (found[0].id != removal.id and reference != removal.id):
        return None, None
    return fingerprint_of(found[0]), found[1]


def _network_reference(engine: EngineRemovals, removal: Removal) -> str:
    """Return the reference to request a network by. On Podman it is the name, because only then does Podman refuse to
    remove a network that a container in any state names (5.8, 6.1: by id it removes the network of a running one).

    If no network has the name any more, Podman takes it for the beginning of an id: if it is that of another network's
    id, the reference is the id.
    """
    if not engine.quirks.guards_networks_by_name:
        return removal.id
    may_begin_an_id = re.fullmatch("[0-9a-f]+", removal.name)
    if may_begin_an_id and any(network.id.startswith(removal.name) for network in engine.networks()):
        return removal.id
    return removal.name


def _holder_unknown_to_engine(context: RemovalContext, removal: Removal) -> str | None:
    """Return a holder that the engine itself would ignore: engines remove networks that stopped containers name, and
    untag images that are in use (engine-api.md §4)."""
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
    """Return the service that names the object: engines ignore services without a task on this node."""
    if context.holder_among is None or removal.kind == "container":
        return None
    return context.holder_among(context.lists.services.ask(), removal.ref)


def _mounts(engine: EngineRemovals, container: Container, removal: Removal) -> bool:
    """Return whether a container mounts an image; the mount only has the image's name."""
    sources = [mount.source for mount in container.mounts if mount.type == "image" and mount.source]
    return any((image := engine.image(source)) is not None and image.id == removal.id for source in sources)


def _volume_of_longer_name(engine: EngineRemovals, removal: Removal) -> str | None:
    """Return why a longer volume name is a danger: if the volume is gone by the time of the request, Podman removes the
    only volume whose name begins with its name."""
    longer = [name for name in engine.volume_names(removal.id) if name != removal.id]
    return f"Podman could remove {longer[0]} in its place" if longer else None


def _send(context: RemovalContext, removal: Removal) -> Outcome:
    try:
        answer = _ask(context.engine, removal)
    except EngineError as error:
        return _after_no_answer(context, removal, error)
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
    """Compare the answer with the plan: raise SurpriseError if the engine deleted or untagged anything else."""
    deleted = [name for name in answer.deleted if re.fullmatch(r"(sha256:)?[0-9a-f]{64}", name)]
    if removal.action == "untag" and deleted and not (removal.id in deleted and removal.id in context.going):
        # Removing one of several tags deletes no image, unless somebody removed the others meanwhile.
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
    # The removed object was the only owner of these bytes.
    return outcome_of(removal, "removed", freed_bytes=exact_bytes(removal))


def exact_bytes(removal: Removal) -> int | None:
    """Return how many bytes the removal frees; None if that is not exact or depends on other removals."""
    alone = removal.reclaim_alone
    if alone is None or not (alone.is_exact and removal.reclaim.is_exact):
        return None
    return alone.low_bytes if alone.low_bytes == removal.reclaim.low_bytes else None


def _layers_gone(removal: Removal, deleted: list[str], layer_bytes: Mapping[str, int]) -> int | None:
    """Return the size of the deleted layers. Docker's classic store names each of them; the others only name the image,
    which proves nothing."""
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
    """Return whether the image had neither a tag nor a reference by digest when it was judged: then its name is its
    id."""
    return not removal.fingerprint.get("tags") and removal.name == short_id(removal.id)


def _not_found(context: RemovalContext, removal: Removal) -> Outcome:
    """Return the outcome after a 404. For an image that was requested as nameless, it can also mean that it now has a
    name."""
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


def _after_no_answer(context: RemovalContext, removal: Removal, error: EngineError) -> Outcome:
    """Return the outcome if no answer came. The request may have been carried out: the object is looked up, and the
    request never repeated."""
    try:
        # Another engine in its place would report everything as gone.
        context.reconnect.confirm_engine()
        now = context.reconnect.ask(lambda: _look(context.engine, removal))
    except EngineError as why_unknown:
        return unknown_outcome(removal, why_unknown)
    if now is None:
        return outcome_of(removal, "removed", f"it is gone, though no answer came: {error}")
    return replace(outcome_of(removal, "failed", f"it is still there: {error}"), is_there=True)


def _afterwards(context: RemovalContext, removal: Removal) -> tuple[bool | None, str]:
    """Return whether the object still exists after a failed removal, and a text about it: Docker can leave a dead
    container, Podman data without an object."""
    try:
        now = context.reconnect.ask(lambda: _look(context.engine, removal))
    except EngineError:
        return None, "; it could not be looked at again"
    if now is None:
        return False, "; the engine no longer lists it, but may have left its data behind"
    changed = differences(removal.fingerprint, now)
    return True, f"; it is changed: {changed}" if changed else ""
