"""An engine that holds an inventory, and writes down what it is asked to remove."""

import threading
from collections.abc import Iterator

from dockersweep.engine.api.answers import DiskUsage, ImageTags, UsagePart
from dockersweep.engine.api.quirks import Quirks
from dockersweep.engine.api.removal_answer import RemovalAnswer
from dockersweep.engine.removing.removal import WayBack
from dockersweep.model.inventory import Container, Image, Inventory, Kind, Network, Object, ObjectRef, Service, Volume
from dockersweep.model.naming import objects_of, ref_of
from dockersweep.model.outcome import Outcome
from dockersweep.model.plan import Removal


class RecordingEngine:
    """An engine that holds an inventory, refuses what Docker refuses, and writes down what it is asked to remove."""

    def __init__(self, seen: Inventory) -> None:
        self.quirks = Quirks(api=(1, 51), version="28.5.2", is_podman=seen.engine.flavour == "podman")
        self.asked: list[tuple[Kind, str, str, str]] = []
        self.recorded: list[tuple[Kind, str, str, str]] = []
        self._there = {ref_of(one): one for one in objects_of(seen)}
        self._tags = {one.id: list(one.tags) for one in seen.images}
        self._lock = threading.Lock()

    def _of_kind(self, kind: Kind) -> Iterator[Object]:
        return (one for ref, one in list(self._there.items()) if ref.kind == kind)

    def volumes(self) -> tuple[tuple[Volume, ...], tuple[str, ...]]:
        return tuple(one for one in self._of_kind("volume") if isinstance(one, Volume)), ()

    def containers(self) -> tuple[Container, ...]:
        return tuple(one for one in self._of_kind("container") if isinstance(one, Container))

    def container(self, container_id: str) -> Container | None:
        one = self._there.get(ObjectRef(kind="container", id=container_id))
        return one if isinstance(one, Container) else None

    def image(self, reference: str) -> ImageTags | None:
        for image_id, tags in list(self._tags.items()):
            if reference == image_id or reference in tags:
                return ImageTags(id=image_id, tags=tuple(tags))
        return None

    def volume(self, name: str) -> Volume | None:
        one = self._there.get(ObjectRef(kind="volume", id=name))
        return one if isinstance(one, Volume) else None

    def networks(self) -> tuple[Network, ...]:
        return tuple(one for one in self._of_kind("network") if isinstance(one, Network))

    def network(self, reference: str) -> tuple[Network, bytes] | None:
        by_name = [one for one in self.networks() if one.name == reference]
        found = next((one for one in self.networks() if one.id == reference), by_name[0] if by_name else None)
        return None if found is None else (found, b"{}")

    def disk_usage(self, part: UsagePart | None, timeout_seconds: float) -> DiskUsage:
        return DiskUsage(build_cache=tuple(self._of_kind("build-cache")))  # type: ignore[arg-type]

    def volume_names(self, beginning: str) -> tuple[str, ...]:
        return tuple(ref.id for ref in list(self._there) if ref.kind == "volume" and ref.id.startswith(beginning))

    @property
    def removal_seconds(self) -> float:
        return 900

    def check_back(self) -> None:
        pass

    def sending(self, removal: Removal, document: bytes | None = None) -> None:
        asked = (removal.kind, removal.id, removal.action, removal.name if removal.action == "untag" else "")
        assert asked not in self.asked
        self.recorded.append(asked)

    def ended(self, removal: Removal, outcome: Outcome) -> None:
        pass

    def archive(self, removal: Removal) -> WayBack:
        assert removal.recovery is not None
        return WayBack(removal.recovery, 1)

    def failed_inside(self, error: Exception) -> None:
        raise error

    def services(self) -> tuple[Service, ...]:
        return ()

    def remove_container(self, container_id: str) -> RemovalAnswer:
        return self._remove("container", container_id)

    def remove_image(self, image_id: str, is_nameless: bool) -> RemovalAnswer:
        assert not (is_nameless and self._tags[image_id])
        if len(self._tags[image_id]) > 1:
            return RemovalAnswer("in-use", "it has several tags")
        if any(isinstance(one, Image) and one.parent_id == image_id for one in self._of_kind("image")):
            return RemovalAnswer("in-use", "it has children")
        del self._tags[image_id]
        return self._remove("image", image_id)

    def untag_image(self, tag: str, image_id: str) -> RemovalAnswer:
        with self._lock:
            self.asked.append(("image", image_id, "untag", tag))
            self._tags[image_id].remove(tag)
        return RemovalAnswer("removed")

    def remove_volume(self, name: str) -> RemovalAnswer:
        return self._remove("volume", name)

    def remove_network(self, reference: str) -> RemovalAnswer:
        meant = self.network(reference)
        assert meant is not None
        return self._remove("network", meant[0].id)

    def prune_build_cache(self, record_ids: tuple[str, ...]) -> RemovalAnswer:
        for one in record_ids:
            self._remove("build-cache", one)
        return RemovalAnswer("removed", deleted=record_ids)

    def _remove(self, kind: Kind, own_id: str) -> RemovalAnswer:
        with self._lock:
            self.asked.append((kind, own_id, "remove", ""))
            del self._there[ObjectRef(kind=kind, id=own_id)]
        return RemovalAnswer("removed")
