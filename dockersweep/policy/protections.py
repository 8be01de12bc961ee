"""What is never removed: first what no policy can override, then what the policy protects."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from dockersweep.model.inventory import (
    STOPPED_STATES,
    BuildCacheRecord,
    Container,
    Image,
    Inventory,
    Network,
    Object,
    Volume,
)
from dockersweep.model.naming import KIND_OF
from dockersweep.model.plan import Reason, ReasonCode
from dockersweep.model.policy import Protection, Protections
from dockersweep.policy.image_names import compile_names, spellings
from dockersweep.policy.patterns import Test, compile_pairs, compile_patterns, is_regular_expression

SWARM_TASK = "com.docker.swarm.task.id"
# Docker takes as little as one digit; a pattern of letters a to f is more likely a name.
SHORTEST_ID = 6

ObjectTest = Callable[[Any], bool]
"""What it is given is of the type that it was made for."""


def _hard(code: ReasonCode, text: str) -> Reason:
    return Reason(code=code, rule="hard protection", text=text)


class HardProtections:
    """What no policy overrides, for the objects of one inventory."""

    def __init__(self, inventory: Inventory) -> None:
        self._own_container = inventory.own_container_id
        self._is_podman = inventory.engine.flavour == "podman"
        self._volume_names = sorted(volume.name for volume in inventory.volumes) if self._is_podman else []

    def of(self, seen: Object, is_held: bool) -> Iterator[Reason]:
        """Yield the reasons that no policy overrides, other than the objects that hold it.

        `is_held` tells whether any container, one that goes as well, holds it.
        """
        if isinstance(seen, Container):
            yield from self._of_container(seen)
        elif isinstance(seen, Volume) and not seen.free_by_engine and not is_held:
            yield _hard("in-use", "the engine counts a use of it that no container shows")
        elif isinstance(seen, Volume) and self._is_podman:
            yield from self._of_podman_volume(seen)
        elif isinstance(seen, Network) and seen.predefined:
            yield _hard("predefined", "made by the engine for itself")
        elif isinstance(seen, Network) and seen.scope != "local":
            yield _hard("swarm", f"its scope is {seen.scope or 'unknown'}: other nodes may use it")
        elif isinstance(seen, BuildCacheRecord) and seen.in_use:
            yield _hard("in-use", "a build uses it")

    def _of_container(self, seen: Container) -> Iterator[Reason]:
        if seen.id == self._own_container:
            yield _hard("in-use", "dockersweep itself runs in it")
        if seen.state not in STOPPED_STATES:
            yield _hard("in-use", f"it is {seen.state or 'in an unknown state'}")
        if SWARM_TASK in seen.labels:
            yield _hard("swarm", "part of a swarm task, which the swarm itself cleans up")
        if self._is_podman and seen.name.endswith("-infra"):
            yield _hard("predefined", "the infra container of a pod, which goes with the pod")
        if seen.unread is not None:
            yield _hard("unread", f"it could not be read in full: {seen.unread}")

    def _of_podman_volume(self, seen: Volume) -> Iterator[Reason]:
        # In order, the first name after its own is one that begins with it, if any does.
        after = bisect_right(self._volume_names, seen.name)
        if after < len(self._volume_names) and self._volume_names[after].startswith(seen.name):
            # It takes the beginning of a name for the name, where the name itself is just gone.
            yield _hard("predefined", f"Podman could remove {self._volume_names[after]} in its place")


class _Group(NamedTuple):
    """The patterns of one key, for one kind of object. Most objects are matched by none, so all are asked at once."""

    said: str
    any_of_them: ObjectTest
    each: tuple[tuple[Protection, ObjectTest], ...]


class PolicyProtections:
    """What a policy protects, made ready to be asked of many objects."""

    def __init__(self, protections: Protections) -> None:
        self._groups: dict[type, list[_Group]] = {type_: [] for type_ in KIND_OF}
        self._idle = dict.fromkeys(
            (*protections.labels, *protections.names, *protections.images, *protections.projects)
        )
        for said, patterns, make_by_type in (
            ("has the label", protections.labels, _LABELS),
            ("its name matches", protections.names, _NAMES),
            ("its reference matches", protections.images, _REFERENCES),
            ("it belongs to the compose project", protections.projects, _PROJECTS),
        ):
            for type_, make in make_by_type.items():
                if patterns:
                    each = tuple((one, make([one.pattern])) for one in patterns)
                    self._groups[type_].append(_Group(said, make([one.pattern for one in patterns]), each))

    def of(self, seen: Object) -> Iterator[Reason]:
        """Yield a reason for every pattern that matches; one that matches protects."""
        for group in self._groups[type(seen)]:
            if group.any_of_them(seen):
                for pattern, test in group.each:
                    if test(seen):
                        self._idle.pop(pattern, None)
                        text = f"{group.said} {pattern.pattern} ({pattern.source})"
                        yield Reason(code="protected", rule="protection", text=text)

    def idle(self) -> tuple[Protection, ...]:
        """Return the patterns that matched nothing so far: mostly they are misspelt and protect nothing."""
        return tuple(self._idle)


def _label_test(patterns: Sequence[str]) -> ObjectTest:
    test = compile_pairs(patterns)
    return lambda seen: test(seen.labels)


def _project_test(patterns: Sequence[str]) -> ObjectTest:
    test = compile_patterns(patterns)
    return lambda seen: seen.project is not None and test(seen.project)


def _name_test(patterns: Sequence[str]) -> ObjectTest:
    test = compile_patterns(one if is_regular_expression(one) else one.removeprefix("/") for one in patterns)
    return lambda seen: test(seen.name)


def _container_test(patterns: Sequence[str]) -> ObjectTest:
    of_name, of_id = _name_test(patterns), _id_test(patterns)
    return lambda seen: of_name(seen) or of_id(seen.id)


def _image_test(patterns: Sequence[str]) -> ObjectTest:
    of_id = _id_test([one.removeprefix("sha256:") for one in patterns])
    of_reference = compile_names(patterns)
    return lambda seen: of_id(seen.id) or any(of_reference(one) for one in spellings(seen))


def _id_test(patterns: Sequence[str]) -> Test:
    """Return the test for ids, which patterns match as a whole, or as their beginnings."""
    globs = [one for one in patterns if not is_regular_expression(one)]
    of_digits = compile_patterns(globs)
    beginnings = tuple(one for one in globs if len(one) >= SHORTEST_ID)

    def matches(full_id: str) -> bool:
        digits = full_id.removeprefix("sha256:")
        return digits.startswith(beginnings) or of_digits(digits)

    return matches


_Make = Callable[[Sequence[str]], ObjectTest]
_LABELS: dict[type, _Make] = dict.fromkeys((Container, Image, Volume, Network), _label_test)
_PROJECTS: dict[type, _Make] = dict.fromkeys((Container, Image, Volume, Network), _project_test)
_NAMES: dict[type, _Make] = {
    Container: _container_test,
    Image: _image_test,
    Volume: _name_test,
    Network: _name_test,
}
_REFERENCES: dict[type, _Make] = {Image: _image_test}
