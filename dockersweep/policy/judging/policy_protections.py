"""What a policy protects: patterns of names, labels, images, projects and services."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import compress, groupby, repeat
from operator import attrgetter, itemgetter, or_
from typing import Any, NamedTuple

from dockersweep.model.image_references import whole_repository_of
from dockersweep.model.inventory import KINDS, Container, Image, Kind, Network, Volume
from dockersweep.model.listed import Listed, Listing
from dockersweep.model.naming import KIND_OF
from dockersweep.model.policy import Protection, Protections
from dockersweep.model.reason import Protected, ProtectedBy, Reason
from dockersweep.policy.judging.init_containers import needed_to_start
from dockersweep.policy.judging.project_protections import any_project_test, project_reasons, projects_of
from dockersweep.policy.judging.services import ServiceHolds
from dockersweep.policy.names.image_patterns import compile_names
from dockersweep.policy.names.patterns import (
    Test,
    beginnings,
    compile_pairs,
    compile_patterns,
    is_regular_expression,
    sieve_of_pairs,
)

# Docker takes as little as one digit; a pattern of letters a to f is more likely a name.
SHORTEST_ID = 6
MANY = 10_000
"""How many repositories are cached."""

_PET_LABELS = tuple(
    Protection(pattern=label, source="protect.pets")
    for label in (
        "manager=distrobox",
        "com.github.containers.toolbox",
        "io.x-k8s.kind.cluster",
        "created_by.minikube.sigs.k8s.io",
        "devcontainer.local_folder",
    )
)
"""The labels of development containers and cluster nodes: people come back to them when they are stopped."""

_Test = Callable[[Any], object]
"""Called with what `subject_of` returns for an object."""
_Sieve = Callable[[Iterable[Any]], Iterable[object]]
_Why = Callable[[Any], tuple[Reason, ...]]
"""Called with the same; returns why the object is kept, empty where it is not."""


class _Group(NamedTuple):
    """The patterns that test the same property of one kind. One quick test rules out the objects that none matches."""

    subject_of: Callable[[Any], Any]
    sieve: _Sieve
    """A quick test of many objects: passes all that any pattern matches, and maybe others."""
    each: tuple[tuple[Protection, _Why], ...]
    """Every pattern, with the function that finds the reasons of this pattern alone."""


class PolicyProtections:
    """The objects that a policy protects, computed for all of a kind at once, when first needed."""

    def __init__(self, protections: Protections, holds: ServiceHolds, listing: Listing) -> None:
        """`holds` has what the swarm's services hold."""
        self._listing = listing
        self._keeps_init_containers = protections.init_containers
        self._protected: dict[Kind, dict[int, tuple[Reason, ...]]] = {}
        services: dict[type, _Asking] = dict.fromkeys(
            (Container, Image, Volume, Network), _Asking(holds.names, _service_test)
        )
        of_key: tuple[tuple[ProtectedBy, Mapping[type, _Asking], tuple[Protection, ...]], ...] = (
            ("label", _LABELS, protections.labels),
            ("name", _NAMES, protections.names),
            ("image", _REFERENCES, protections.images),
            ("project", _PROJECTS, protections.projects),
            ("service", services, protections.services),
        )
        # Where services cannot be seen, a pattern that matches none may well be right.
        telling = of_key if holds.are_seen else of_key[:-1]
        self._idle = dict.fromkeys(pattern for _, _, patterns in telling for pattern in patterns)
        self._groups: dict[Kind, list[_Group]] = {}
        if protections.pets:
            of_key = (*of_key, ("pet", _PETS, _PET_LABELS))
        for type_, kind in KIND_OF.items():
            asked = [
                (by_type[type_], by, pattern)
                for by, by_type, patterns in of_key
                if type_ in by_type
                for pattern in patterns
            ]
            # protect.names and protect.images follow each other, and test the same property of images.
            self._groups[kind] = [
                _group(how, [(by, pattern) for _, by, pattern in alike]) for how, alike in groupby(asked, itemgetter(0))
            ]

    def of_kind(self, kind: Kind) -> Mapping[int, tuple[Reason, ...]]:
        """Return the protected objects of a kind, by place, each with a reason for every pattern that matches it."""
        protected = self._protected.get(kind)
        if protected is None:
            listed = self._listing.of_kind(kind)
            protected = self._protected[kind] = self._init_containers(listed) if kind == "container" else {}
            for group in self._groups[kind]:
                self._add_protected(group, listed, protected)
        return protected

    def _init_containers(self, listed: Listed) -> dict[int, tuple[Reason, ...]]:
        needed = needed_to_start(listed.items) if self._keeps_init_containers else {}
        return {listed.places[own]: reasons for own, reasons in needed.items()}

    def _add_protected(self, group: _Group, listed: Listed, protected: dict[int, tuple[Reason, ...]]) -> None:
        """Add the objects that a group protects to `protected`."""
        values = list(map(group.subject_of, listed.items))
        matching: set[int] = set()
        for place in compress(listed.numbers, group.sieve(values)):
            for number, (_, why) in enumerate(group.each):
                reasons = why(values[place])
                if reasons:
                    matching.add(number)
                    # Most are protected by one pattern, and share its reasons.
                    protected[place] = protected[place] + reasons if place in protected else reasons
        for number in matching:
            self._idle.pop(group.each[number][0], None)

    def idle(self) -> tuple[Protection, ...]:
        """Return the patterns that match no object: most of them are misspelt."""
        for kind in KINDS:
            self.of_kind(kind)
        return tuple(self._idle)


class _Asking(NamedTuple):
    """How the patterns of one policy key are tested on one kind of object."""

    subject_of: Callable[[Any], Any]
    """Returns the property of an object that the patterns match."""
    make: Callable[[Sequence[str]], _Test]
    """Returns the test for any of some patterns."""
    sieve: Callable[[Sequence[str]], _Sieve] | None = None
    """Returns a quicker test of many objects, which others may pass too."""
    why: Callable[[Protection], _Why] | None = None
    """Returns the function that finds the reasons of one pattern, where they differ between objects."""


def _group(how: _Asking, patterns: Sequence[tuple[ProtectedBy, Protection]]) -> _Group:
    each = tuple(
        (pattern, how.why(pattern) if how.why else _same_for_all(by, pattern, how)) for by, pattern in patterns
    )
    texts = [pattern.pattern for _, pattern in patterns]
    return _Group(how.subject_of, how.sieve(texts) if how.sieve else partial(map, how.make(texts)), each)


def _same_for_all(by: ProtectedBy, pattern: Protection, how: _Asking) -> _Why:
    about = Protected(by=by, pattern=pattern.pattern, source=pattern.source)
    reasons = (Reason(code="protected", rule="protection", about=about),)
    test = how.make([pattern.pattern])
    return lambda value: reasons if test(value) else ()


def _service_test(patterns: Sequence[str]) -> _Test:
    test = compile_patterns(patterns)
    return lambda names: names is not None and any(test(name) for name in names)


def _name_test(patterns: Sequence[str]) -> Test:
    return compile_patterns(
        pattern if is_regular_expression(pattern) else pattern.removeprefix("/") for pattern in patterns
    )


def _container_test(patterns: Sequence[str]) -> _Test:
    of_name, of_id = _name_test(patterns), _id_test(patterns)
    return lambda item: of_name(item.name) or of_id(item.id)


def _sieve_of_containers(patterns: Sequence[str]) -> _Sieve:
    known = _beginnings(patterns)
    if "" in known:
        return partial(map, _container_test(patterns))
    names, ids = attrgetter("name"), attrgetter("id")
    return lambda items: map(or_, _begin(map(names, items), known), _begin(map(ids, items), known))


def _sieve_of_names(patterns: Sequence[str]) -> _Sieve:
    known = _beginnings(patterns)
    return partial(map, _name_test(patterns)) if "" in known else lambda names: _begin(names, known)


def _begin(texts: Iterable[str], known: tuple[str, ...]) -> Iterable[bool]:
    return map(str.startswith, texts, repeat(known))


def _beginnings(patterns: Iterable[str]) -> tuple[str, ...]:
    return beginnings(pattern if is_regular_expression(pattern) else pattern.removeprefix("/") for pattern in patterns)


def _itself(item: Any) -> Any:
    return item


def _image_test(patterns: Sequence[str]) -> _Test:
    of_id = _id_test([pattern.removeprefix("sha256:") for pattern in patterns])
    of_reference = compile_names(patterns, and_whole=True)

    # Images share their repositories.
    of_repository = lru_cache(MANY)(of_reference)

    def matches(image: Image) -> object:
        for tag in image.tags:
            if of_repository(whole_repository_of(tag)) or of_reference(tag):
                return True
        for digest in image.digests:
            if of_repository(digest.partition("@")[0]) or of_reference(digest):
                return True
        return of_id(image.id)

    return matches


def _id_test(patterns: Sequence[str]) -> Test:
    """Return the test for ids: a pattern matches the whole id, or is a prefix of at least `SHORTEST_ID` digits."""
    globs = [pattern for pattern in patterns if not is_regular_expression(pattern)]
    of_digits = compile_patterns(globs)
    beginnings = tuple(pattern for pattern in globs if len(pattern) >= SHORTEST_ID)

    def matches(full_id: str) -> object:
        digits = full_id.removeprefix("sha256:")
        return digits.startswith(beginnings) or of_digits(digits)

    return matches


_LABELS: dict[type, _Asking] = dict.fromkeys(
    (Container, Image, Volume, Network), _Asking(attrgetter("labels"), compile_pairs, sieve_of_pairs)
)
_PROJECTS: dict[type, _Asking] = dict.fromkeys(
    (Container, Image, Volume, Network), _Asking(projects_of, any_project_test, why=project_reasons)
)
_PETS: dict[type, _Asking] = {Container: _LABELS[Container]}
_REFERENCES: dict[type, _Asking] = {Image: _Asking(_itself, _image_test)}
_NAMES: dict[type, _Asking] = {
    **dict.fromkeys((Volume, Network), _Asking(attrgetter("name"), _name_test, _sieve_of_names)),
    Container: _Asking(_itself, _container_test, _sieve_of_containers),
    Image: _REFERENCES[Image],
}
