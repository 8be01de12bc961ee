"""What is never removed, whatever a policy says."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from dockersweep.model.inventory import (
    STOPPED_STATES,
    BuildCacheRecord,
    Container,
    Inventory,
    Kind,
    Network,
    Object,
    ObjectRef,
    Volume,
)
from dockersweep.model.listed import Listing
from dockersweep.model.reason import About, Fact, FactName, NameBegins, Reason, ReasonCode, Scope, State, Unread
from dockersweep.policy.judging.holders import Holder
from dockersweep.policy.judging.kubelet import held_by_kubelet, is_of_kubelet
from dockersweep.policy.judging.other_tools import held_by_other_tools
from dockersweep.policy.judging.services import ServiceHolds

SWARM_TASK = "com.docker.swarm.task.id"


def _hard(code: ReasonCode, about: About | FactName) -> Reason:
    return Reason(code=code, rule="hard protection", about=Fact(name=about) if isinstance(about, str) else about)


_COUNTED, _BY_BUILD = (_hard("in-use", "engine-counts-a-use"),), (_hard("in-use", "used-by-build"),)
_PREDEFINED = (_hard("predefined", "made-by-engine"),)
_LOST_AND_FOUND = (_hard("predefined", "made-by-file-system"),)


def is_cleaned_up_by_others(container: Container) -> bool:
    """Return whether the swarm or the kubelet made a container: they remove it themselves."""
    return SWARM_TASK in container.labels or is_of_kubelet(container.labels)


@lru_cache(100)
def _in_state(state: str) -> Reason:
    return _hard("in-use", State(state=state))


class HardProtections:
    """What no policy overrides, for the objects of one inventory."""

    def __init__(self, listing: Listing) -> None:
        inventory = listing.inventory
        self._listing = listing
        self.services = ServiceHolds(inventory)
        self.by_others = _by_others(inventory, self.services)
        """Why objects are kept for holders outside the engine's lists: services, Kubernetes, other tools."""
        self._own_container = inventory.own_container_id
        self._is_podman = inventory.engine.flavour == "podman"
        self._volume_names = sorted(volume.name for volume in inventory.volumes) if self._is_podman else []
        self._of_kinds: dict[Kind, Mapping[int, tuple[Reason, ...]]] = {}

    def of(self, ref: ObjectRef, item: Object, is_held: bool) -> Sequence[Reason]:
        """Return the reasons that no policy overrides, its holders aside.

        `is_held` is whether any container holds it, even one that the plan removes.
        """
        return (*self.by_others.get(ref, ()), *self._of_itself(ref.kind)(item, is_held))

    def of_kind(self, kind: Kind, holders: Sequence[Collection[Holder]]) -> Mapping[int, tuple[Reason, ...]]:
        """Return place -> these reasons, for the objects of a kind that have any; `holders` has the holders of each,
        by place."""
        known = self._of_kinds.get(kind)
        if known is None:
            known = self._of_kinds[kind] = dict(self._find(kind, holders))
        return known

    def _find(self, kind: Kind, holders: Sequence[Collection[Holder]]) -> Iterator[tuple[int, tuple[Reason, ...]]]:
        of_itself = self._of_itself(kind)
        by_others = {self._listing.place(ref): reasons for ref, reasons in self.by_others.items() if ref.kind == kind}
        # The fastest way to call a function a million times.
        for place, reasons in enumerate(map(of_itself, self._listing.of_kind(kind).items, map(bool, holders))):
            if reasons or place in by_others:
                yield place, (*by_others.get(place, ()), *reasons)

    def _of_itself(self, kind: Kind) -> Callable[[Any, bool], Sequence[Reason]]:
        """Return the function that finds the reasons in an object itself, given whether anything holds it."""
        if kind == "container":
            return self._of_container
        if kind == "volume":
            return self._of_volume
        if kind == "network":
            return _of_network
        return _of_record if kind == "build-cache" else lambda image, is_held: ()

    def _of_container(self, container: Container, is_held: bool) -> Sequence[Reason]:
        reasons: list[Reason] = []
        if container.id == self._own_container:
            reasons.append(_hard("in-use", "own-container"))
        if container.state not in STOPPED_STATES:
            reasons.append(_in_state(container.state or ""))
        if SWARM_TASK in container.labels:
            reasons.append(_hard("swarm", "swarm-task"))
        if self._is_podman and container.name.endswith("-infra"):
            reasons.append(_hard("predefined", "infra-container"))
        if container.unread is not None:
            reasons.append(_hard("unread", Unread(problem=container.unread)))
        return reasons

    def _of_volume(self, volume: Volume, is_held: bool) -> Sequence[Reason]:
        if not volume.free_by_engine and not is_held:
            return _COUNTED
        if self._is_podman:
            return tuple(self._of_podman_volume(volume))
        # Docker lists every folder as a volume, this one too where volumes have an ext4 disk of their own (tried on
        # 20.10 to 28.5); nobody can create a volume of this name.
        return _LOST_AND_FOUND if (volume.driver, volume.name) == ("local", "lost+found") else ()

    def _of_podman_volume(self, volume: Volume) -> Iterator[Reason]:
        # The names are sorted: if any begins with this one, the next does.
        after = bisect_right(self._volume_names, volume.name)
        if after < len(self._volume_names) and self._volume_names[after].startswith(volume.name):
            # Podman accepts the beginning of a name: were this volume just gone, it would remove that one.
            yield _hard("predefined", NameBegins(volume=self._volume_names[after]))


def _of_record(record: BuildCacheRecord, is_held: bool) -> Sequence[Reason]:
    return _BY_BUILD if record.in_use else ()


def _of_network(network: Network, is_held: bool) -> Sequence[Reason]:
    if network.predefined:
        return _PREDEFINED
    return () if network.scope == "local" else (_hard("swarm", Scope(scope=network.scope or "")),)


def _by_others(inventory: Inventory, services: ServiceHolds) -> Mapping[ObjectRef, Sequence[Reason]]:
    """Merge what services, Kubernetes and other tools hold, in this order."""
    table: dict[ObjectRef, Sequence[Reason]] = dict(services.reasons)
    for held in (held_by_kubelet(inventory), held_by_other_tools(inventory)):
        for ref, reasons in held.items():
            table[ref] = (*table.get(ref, ()), *reasons)
    return table
