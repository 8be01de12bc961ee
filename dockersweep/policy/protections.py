"""What is never removed: first what no policy can override, then what the policy protects."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from operator import attrgetter, itemgetter
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
from dockersweep.model.naming import KIND_OF, id_of
from dockersweep.model.plan import Reason, ReasonCode
from dockersweep.model.policy import Protection, Protections
from dockersweep.policy.image_names import compile_names, repositories_of
from dockersweep.policy.kubelet import held_by_kubelet, is_of_kubelet
from dockersweep.policy.other_tools import held_by_other_tools
from dockersweep.policy.patterns import Test, compile_pairs, compile_patterns, is_regular_expression
from dockersweep.policy.services import ServiceHolds

SWARM_TASK = "com.docker.swarm.task.id"
# Docker takes as little as one digit; a pattern of letters a to f is more likely a name.
SHORTEST_ID = 6
MANY = 10_000
"""For how many repositories answers are remembered."""

_Test = Callable[[Any], object]
"""What it is given is what was asked for of an object."""


def _hard(code: ReasonCode, text: str) -> Reason:
    return Reason(code=code, rule="hard protection", text=text)


def is_cleaned_up_by_others(container: Container) -> bool:
    """Return whether the swarm or the kubelet made a container, and removes it in its time."""
    return SWARM_TASK in container.labels or is_of_kubelet(container.labels)


class HardProtections:
    """What no policy overrides, for the objects of one inventory."""

    def __init__(self, inventory: Inventory) -> None:
        self.services = ServiceHolds(inventory)
        self._kubelet = held_by_kubelet(inventory)
        self._own_container = inventory.own_container_id
        self._other_tools = held_by_other_tools(inventory)
        self._is_podman = inventory.engine.flavour == "podman"
        self._volume_names = sorted(volume.name for volume in inventory.volumes) if self._is_podman else []

    def of(self, seen: Object, is_held: bool) -> Sequence[Reason]:
        """Return the reasons that no policy overrides, other than the objects that hold it.

        `is_held` tells whether any container, one that goes as well, holds it.
        """
        of_itself = self._of_itself(seen, is_held)
        services = self.services.reasons(seen)
        kubelet = self._kubelet.get(id_of(seen), ()) if self._kubelet else ()
        return (*services, *kubelet, *of_itself) if services or kubelet else of_itself

    def _of_itself(self, seen: Object, is_held: bool) -> Sequence[Reason]:
        if type(seen) is Container:
            return self._of_container(seen)
        if type(seen) is Image:
            return self._other_tools.get(seen.id, ())
        if type(seen) is Volume and not seen.free_by_engine and not is_held:
            return (_hard("in-use", "the engine counts a use of it that no container shows"),)
        if type(seen) is Volume and self._is_podman:
            return tuple(self._of_podman_volume(seen))
        if type(seen) is Network and seen.predefined:
            return (_hard("predefined", "made by the engine for itself"),)
        if type(seen) is Network and seen.scope != "local":
            return (_hard("swarm", f"its scope is {seen.scope or 'unknown'}: other nodes may use it"),)
        if type(seen) is BuildCacheRecord and seen.in_use:
            return (_hard("in-use", "a build uses it"),)
        return ()

    def _of_container(self, seen: Container) -> list[Reason]:
        reasons: list[Reason] = []
        if seen.id == self._own_container:
            reasons.append(_hard("in-use", "dockersweep itself runs in it"))
        if seen.state not in STOPPED_STATES:
            reasons.append(_hard("in-use", f"it is {seen.state or 'in an unknown state'}"))
        if SWARM_TASK in seen.labels:
            reasons.append(_hard("swarm", "part of a swarm task, which the swarm itself cleans up"))
        if self._is_podman and seen.name.endswith("-infra"):
            reasons.append(_hard("predefined", "the infra container of a pod, which goes with the pod"))
        if seen.unread is not None:
            reasons.append(_hard("unread", f"it could not be read in full: {seen.unread}"))
        return reasons

    def _of_podman_volume(self, seen: Volume) -> Iterator[Reason]:
        # In order, the first name after its own is one that begins with it, if any does.
        after = bisect_right(self._volume_names, seen.name)
        if after < len(self._volume_names) and self._volume_names[after].startswith(seen.name):
            # It takes the beginning of a name for the name, where the name itself is just gone.
            yield _hard("predefined", f"Podman could remove {self._volume_names[after]} in its place")


class _Group(NamedTuple):
    """The patterns that ask for the same of one kind of object. Most match none, so all are asked at once first."""

    asked_for: Callable[[Any], Any]
    any_of_them: _Test
    each: tuple[tuple[str, Protection, _Test], ...]
    """What is said of an object that it matches, the pattern, and the test for it alone."""


class PolicyProtections:
    """What a policy protects, made ready to be asked of many objects."""

    def __init__(self, protections: Protections, holds: ServiceHolds) -> None:
        """`holds` are those of the services of the swarm."""
        services: dict[type, _Asking] = dict.fromkeys(
            (Container, Image, Volume, Network), _Asking(holds.names, _service_test)
        )
        of_key = (
            ("has the label", _LABELS, protections.labels),
            ("its name matches", _NAMES, protections.names),
            ("its reference matches", _REFERENCES, protections.images),
            ("it belongs to the compose project", _PROJECTS, protections.projects),
            ("it is used by the service", services, protections.services),
        )
        # Of services that cannot be seen it says nothing that a pattern matches none.
        telling = of_key if holds.are_seen else of_key[:-1]
        self._idle = dict.fromkeys(pattern for _, _, patterns in telling for pattern in patterns)
        self._groups: dict[type, list[_Group]] = {}
        for type_ in KIND_OF:
            asked = [(by_type[type_], said, one) for said, by_type, told in of_key if type_ in by_type for one in told]
            # Names and references of images stand one after the other, and ask for the same.
            self._groups[type_] = [
                _group(how, [(said, one) for _, said, one in of_one]) for how, of_one in groupby(asked, itemgetter(0))
            ]

    def of(self, seen: Object) -> list[Reason]:
        """Return a reason for every pattern that matches; one that matches protects."""
        reasons: list[Reason] = []
        for asked_for, any_of_them, each in self._groups[type(seen)]:
            value = asked_for(seen)
            if any_of_them(value):
                for said, pattern, test in each:
                    if test(value):
                        self._idle.pop(pattern, None)
                        text = f"{said} {pattern.pattern} ({pattern.source})"
                        reasons.append(Reason(code="protected", rule="protection", text=text))
        return reasons

    def idle(self) -> tuple[Protection, ...]:
        """Return the patterns that matched nothing so far: mostly they are misspelt and protect nothing."""
        return tuple(self._idle)


class _Asking(NamedTuple):
    """How the patterns of a key are asked of one kind of object."""

    asked_for: Callable[[Any], Any]
    """Returns what of the object the patterns speak of."""
    make: Callable[[Sequence[str]], _Test]
    """Returns the test of that for any of some patterns."""


def _group(how: _Asking, told: Sequence[tuple[str, Protection]]) -> _Group:
    each = tuple((said, one, how.make([one.pattern])) for said, one in told)
    return _Group(how.asked_for, how.make([one.pattern for _, one in told]), each)


def _project_test(patterns: Sequence[str]) -> _Test:
    test = compile_patterns(patterns)
    return lambda project: project is not None and test(project)


def _service_test(patterns: Sequence[str]) -> _Test:
    test = compile_patterns(patterns)
    return lambda names: names is not None and any(test(name) for name in names)


def _name_test(patterns: Sequence[str]) -> Test:
    return compile_patterns(one if is_regular_expression(one) else one.removeprefix("/") for one in patterns)


def _container_test(patterns: Sequence[str]) -> _Test:
    of_name, of_id = _name_test(patterns), _id_test(patterns)
    return lambda seen: of_name(seen.name) or of_id(seen.id)


class _KnownAs(NamedTuple):
    """What a person may call an image."""

    id: str
    names: tuple[str, ...]
    repositories: list[str]


def _known_as(image: Image) -> _KnownAs:
    return _KnownAs(image.id, image.digests + image.tags, repositories_of(image))


def _image_test(patterns: Sequence[str]) -> _Test:
    of_id = _id_test([one.removeprefix("sha256:") for one in patterns])
    of_reference = compile_names(patterns, and_whole=True)

    # Images share their repositories.
    of_repository = lru_cache(MANY)(of_reference)

    def matches(known_as: _KnownAs) -> object:
        for repository in known_as.repositories:
            if of_repository(repository):
                return True
        for name in known_as.names:
            if of_reference(name):
                return True
        return of_id(known_as.id)

    return matches


def _id_test(patterns: Sequence[str]) -> Test:
    """Return the test for ids, which patterns match as a whole, or as their beginnings."""
    globs = [one for one in patterns if not is_regular_expression(one)]
    of_digits = compile_patterns(globs)
    beginnings = tuple(one for one in globs if len(one) >= SHORTEST_ID)

    def matches(full_id: str) -> object:
        digits = full_id.removeprefix("sha256:")
        return digits.startswith(beginnings) or of_digits(digits)

    return matches


_LABELS: dict[type, _Asking] = dict.fromkeys(
    (Container, Image, Volume, Network), _Asking(attrgetter("labels"), compile_pairs)
)
_PROJECTS: dict[type, _Asking] = dict.fromkeys(
    (Container, Image, Volume, Network), _Asking(attrgetter("project"), _project_test)
)
_REFERENCES: dict[type, _Asking] = {Image: _Asking(_known_as, _image_test)}
_NAMES: dict[type, _Asking] = {
    **dict.fromkeys((Volume, Network), _Asking(attrgetter("name"), _name_test)),
    Container: _Asking(lambda seen: seen, _container_test),
    Image: _REFERENCES[Image],
}
