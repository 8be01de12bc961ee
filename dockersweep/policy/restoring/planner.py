"""Removed objects and what the engine has by now -> the steps that make them again, in order."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from ipaddress import ip_network
from typing import Any

from msgspec.structs import replace

from dockersweep.model.inspect_document import part, parts
from dockersweep.model.inventory import Kind
from dockersweep.model.naming import short_id
from dockersweep.model.restoring import LAYERED, RESTORED_IMAGES, Present, Removed, Step, mark_of
from dockersweep.policy.restoring.container_needs import needs_of

_ORDER: tuple[Kind, ...] = ("network", "volume", "image", "container")


def plan_restoration(
    wanted: Sequence[Removed], known: Sequence[Removed], present: Present, as_name: str | None = None
) -> tuple[Step, ...]:
    """Return the steps that make the wanted objects again: networks, volumes, images, tags, containers.

    `known` is all that was ever removed and can be made again: what a container cannot be without is taken from it.
    `as_name` is the new name of the only wanted object; None for the names that they had.
    """
    planning = _Planning(wanted, known, present, as_name)
    for removed in wanted:
        planning.add(removed, None)
    return planning.steps()


_Key = tuple[Kind, str, str]


class _Planning:
    def __init__(
        self, wanted: Sequence[Removed], known: Sequence[Removed], present: Present, as_name: str | None
    ) -> None:
        self._present = present
        self._as_name = as_name
        self._steps: dict[_Key, Step] = {}
        """By kind, id and name: an image and a tag of it may both be made."""
        self._needs: dict[_Key, list[_Key]] = {}
        self._missing: dict[_Key, str] = {}
        self._wanted = set(map(_key, wanted))
        # Of several the last is taken: what is wanted itself or was removed by the same run, otherwise the latest.
        runs = {removed.run for removed in wanted if removed.run is not None}
        folders = {removed.folder for removed in wanted if removed.folder is not None}

        def order(removed: Removed) -> tuple[bool, float, int]:
            return removed.run in runs or removed.folder in folders, _when(removed), removed.run or 0

        made = [removed for removed in (*sorted(known, key=order), *wanted) if removed.action == "create"]
        self._by_id = {(removed.kind, removed.id): removed for removed in made}
        self._by_name = {(removed.kind, removed.name): removed for removed in made}

    def add(self, removed: Removed, needed_by: str | None) -> _Key:
        key = _key(removed)
        if key in self._steps:
            return key
        if key in self._wanted:
            needed_by = None
        as_name = removed.name if needed_by is not None or self._as_name is None else self._as_name
        step = Step(kind=removed.kind, id=removed.id, removed=removed, as_name=as_name, needed_by=needed_by)
        # Before its needs, so that two containers that name each other end.
        self._steps[key] = step
        self._steps[key] = _judged(step, self._present)
        if removed.kind == "container" and self._steps[key].skip is None:
            self._add_needs(key)
        if removed.action == "tag":
            self._add_image_of_tag(key)
        return key

    def _add_needs(self, key: _Key) -> None:
        removed = self._steps[key].removed
        document: Mapping[str, Any] = removed.document.content if removed.document else {}
        needs, present = needs_of(document), self._present
        self._needs[key] = []
        if needs.image_id and needs.image_id not in present.images:
            self._need(key, "image", needs.image_id, f"its image {needs.image_name or short_id(needs.image_id)}")
        for volume in needs.volumes:
            if volume not in present.volumes:
                self._need(key, "volume", volume, f"its volume {volume}")
        for network in needs.networks:
            if network not in present.networks and network not in present.networks.values():
                self._need(key, "network", network, f"its network {network}")
        for container in needs.containers:
            if container not in present.containers and container not in present.containers.values():
                self._need(key, "container", container, f"container {container[:12]}, whose namespaces it joins,")

    def _need(self, key: _Key, kind: Kind, reference: str, words: str) -> None:
        removed = self._by_id.get((kind, reference)) or self._by_name.get((kind, reference))
        if removed is None or removed.how == "none":
            gone = f"{words} is gone, and nothing keeps it: make it first, then restore again"
            self._missing.setdefault(key, gone)
            return
        self._needs[key].append(self.add(removed, self._steps[key].removed.name))

    def _add_image_of_tag(self, key: _Key) -> None:
        removed = self._steps[key].removed
        image = self._by_id.get(("image", removed.id))
        if removed.id in self._present.images or self._steps[key].skip is not None:
            return
        if image is None or image.how == "none":
            self._missing[key] = f"its image {short_id(removed.id)} is gone by now"
            return
        self._needs[key] = [self.add(image, None)]

    def steps(self) -> tuple[Step, ...]:
        """Return the steps in order, each with the places of those that it needs."""
        ordered = sorted(self._steps, key=lambda key: _place(self._steps[key]))
        ordered = _with_needed_first(ordered, self._needs)
        places = {key: place for place, key in enumerate(ordered)}
        steps: list[Step] = []
        for key in ordered:
            after = tuple(places[needed] for needed in self._needs.get(key, ()))
            step = replace(self._steps[key], after=after)
            missing = self._missing.get(key) or _cannot(after, steps)
            steps.append(step if step.skip or missing is None else replace(step, skip=missing))
        return tuple(steps)


def _key(removed: Removed) -> _Key:
    return removed.kind, removed.id, removed.name


def _when(removed: Removed) -> float:
    return removed.removed_at.timestamp() if isinstance(removed.removed_at, datetime) else 0.0


def _place(step: Step) -> tuple[int, bool]:
    return _ORDER.index(step.kind), step.removed.action == "tag"


def _with_needed_first(
    ordered: Iterable[_Key],
    needs: Mapping[_Key, Sequence[_Key]],
) -> list[_Key]:
    placed: dict[_Key, None] = {}
    begun: set[_Key] = set()

    def place(key: _Key) -> None:
        if key in begun:
            return
        begun.add(key)
        for needed in needs.get(key, ()):
            place(needed)
        placed[key] = None

    for key in ordered:
        place(key)
    return list(placed)


def _cannot(after: Sequence[int], steps: Sequence[Step]) -> str | None:
    """Return why a step cannot be done because of those before it; an object that is there is no hindrance."""
    for place in after:
        if place < len(steps) and steps[place].skip and not steps[place].is_there:
            return f"its {steps[place].kind} {steps[place].removed.name} is not made: {steps[place].skip}"
    return None


def _there(step: Step, text: str) -> Step:
    return replace(step, skip=text, is_there=True)


def _back(step: Step, text: str) -> Step:
    return replace(_there(step, text), is_back=True)


def _judged(step: Step, present: Present) -> Step:
    """Return a step with why it is skipped, if it is, and with what will not be as it was."""
    removed = step.removed
    if removed.how == "none":
        return replace(step, skip=f"it cannot be made again: {removed.why_not or 'nothing keeps it'}")
    if removed.kind == "image":
        return _judged_tag(step, present) if removed.action == "tag" else _judged_image(step, present)
    taken = {"container": present.containers, "volume": present.volumes, "network": present.networks}[removed.kind]
    if step.as_name in taken:
        if present.restored_from.get((removed.kind, step.as_name)) == mark_of(removed):
            return _back(step, "it was restored before, and is there")
        if step.as_name == removed.name:
            return _there(step, f"a {removed.kind} of this name is there{_try_as(step)}")
        return _there(step, f"a {removed.kind} called {step.as_name} is there: remove it first")
    if removed.kind == "network":
        return _judged_network(step, present)
    if removed.kind == "container" and removed.archived is not None and _has_layer(removed):
        image = restored_image(step).removeprefix(RESTORED_IMAGES)
        told = f"{LAYERED}{image}: {removed.name}'s own files are one more layer of it"
        return replace(step, told=(told,))
    return step


def _try_as(step: Step) -> str:
    if step.needed_by is not None:
        return ""
    return ": remove it first, or give this one another name with --as"


def _has_layer(removed: Removed) -> bool:
    files = () if removed.archived is None else removed.archived.files
    return any(file.path.endswith("/layer.tar.zst") for file in files)


def restored_image(step: Step) -> str:
    """Return the name of the image that has the writable layer of a container."""
    name = "".join(letter if letter.isalnum() else "-" for letter in step.as_name.lower() if letter.isascii()) or "x"
    return f"{RESTORED_IMAGES}{'-'.join(filter(None, name.split('-'))) or 'x'}:{step.removed.run or 'archive'}"


def _judged_tag(step: Step, present: Present) -> Step:
    holder = present.tags.get(step.as_name)
    if holder == step.id:
        return _back(step, "it is there")
    if holder is not None:
        return _there(step, f"{step.as_name} names another image by now, {short_id(holder)}")
    return replace(step, tags=(step.as_name,))


def _judged_image(step: Step, present: Present) -> Step:
    wanted = (step.as_name,) if step.as_name != step.removed.name else step.removed.tags
    free = tuple(tag for tag in wanted if tag not in present.tags)
    told = tuple(
        f"{tag} names another image by now, {short_id(present.tags[tag])}, and stays there"
        for tag in wanted
        if tag in present.tags and present.tags[tag] != step.id
    )
    step = replace(step, tags=free, told=told)
    if step.id not in present.images or free:
        return step
    # That a tag of it names something else by now is for a person to see.
    return _there(step, "it is there, without all of its tags") if told else _back(step, "it is there")


def _judged_network(step: Step, present: Present) -> Step:
    document: Mapping[str, Any] = step.removed.document.content if step.removed.document else {}
    for subnet in subnets_of(document):
        for name, taken in present.subnets.items():
            if any(_overlap(subnet, other) for other in taken):
                text = f"its subnet {subnet} overlaps that of network {name}"
                if step.as_name == step.removed.name:
                    return replace(step, skip=f"{text}; with --as NAME it is made with another subnet")
                return replace(step, other_subnet=True, told=(f"{text}: it gets another subnet",))
    return step


def subnets_of(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the subnets in the inspect document of a network."""
    configs = parts(part(document, "IPAM"), "Config")
    return tuple(str(config["Subnet"]) for config in configs if config.get("Subnet"))


def _overlap(subnet: str, other: str) -> bool:
    try:
        first, second = ip_network(subnet, strict=False), ip_network(other, strict=False)
    except ValueError:
        return False
    return first.version == second.version and first.overlaps(second)
