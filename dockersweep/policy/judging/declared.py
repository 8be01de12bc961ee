"""Which objects of an inventory files declare: compose files and quadlets name them, though no container may exist."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from dockersweep.model.declared import Declared, DeclaredKind
from dockersweep.model.image_references import tag_of, whole_repository_of, with_registry, with_tag, without_registry
from dockersweep.model.inventory import Image, Inventory, Network, ObjectRef, Volume
from dockersweep.model.naming import ref_of
from dockersweep.model.reason import DeclaredBy, Reason
from dockersweep.policy.names.patterns import compile_pattern, compile_patterns

_ID = re.compile(r"(?:sha256:)?([0-9a-f]{12,64})")
T = TypeVar("T", Image, Volume, Network)


class DeclaredObjects:
    """What of an inventory is declared."""

    def __init__(self, declared: Sequence[Declared], inventory: Inventory) -> None:
        is_podman = inventory.engine.flavour == "podman"
        self.reasons: Mapping[ObjectRef, Reason] = {
            **_reasons(inventory.images, _Images(_of_kind(declared, "image"), is_podman).of),
            **_reasons(inventory.volumes, _Names(_of_kind(declared, "volume")).of),
            **_reasons(inventory.networks, _Names(_of_kind(declared, "network")).of),
        }
        """Why each that is declared stays."""


def _of_kind(declared: Iterable[Declared], kind: DeclaredKind) -> list[Declared]:
    return [one for one in declared if one.kind == kind]


def _reasons(items: Iterable[T], of: Callable[[T], Iterator[Declared]]) -> dict[ObjectRef, Reason]:
    return {ref_of(item): _reason(found) for item in items if (found := list(of(item)))}


def _reason(found: Sequence[Declared]) -> Reason:
    first = found[0]
    others = len({(one.path, one.by) for one in found}) - 1
    about = DeclaredBy(path=first.path, line=first.line, by=first.by, project=first.project, others=others)
    return Reason(code="protected", rule="protection", about=about)


class _Patterns:
    """Globs of files whose variables have no value. Most names match none, which is found at once."""

    def __init__(self, globs: Sequence[tuple[str, Declared]]) -> None:
        self._any = compile_patterns(dict.fromkeys(glob for glob, _ in globs)) if globs else None
        self._each = [(compile_pattern(glob), one) for glob, one in globs]

    def of(self, spellings: Collection[str]) -> Iterator[Declared]:
        """Yield what declares that which is spelled in these ways."""
        if self._any is not None and any(map(self._any, spellings)):
            yield from (one for test, one in self._each if any(map(test, spellings)))


class _Names:
    """Names of volumes or networks."""

    def __init__(self, declared: Iterable[Declared]) -> None:
        self._exact: dict[str, list[Declared]] = {}
        globs: list[tuple[str, Declared]] = []
        for one in declared:
            if one.is_pattern:
                globs.append((one.name, one))
            else:
                self._exact.setdefault(one.name, []).append(one)
        self._patterns = _Patterns(globs)

    def of(self, item: Volume | Network) -> Iterator[Declared]:
        """Yield what declares it."""
        yield from self._exact.get(item.name, ())
        yield from self._patterns.of((item.name,))


class _Images:
    """References of images: by tag, by digest, or the beginning of an id."""

    def __init__(self, declared: Iterable[Declared], is_podman: bool) -> None:
        self._is_podman = is_podman
        self._exact: dict[str, list[Declared]] = {}
        self._digests: dict[str, list[Declared]] = {}
        self._ids: list[tuple[str, Declared]] = []
        # A variable may stand for the tag as well, or for what is before a name that has none.
        declared = tuple(declared)
        globs = [(glob, one) for one in declared if one.is_pattern for glob in (one.name, f"{one.name}:latest")]
        self._patterns = _Patterns(globs)
        for one in declared:
            if not one.is_pattern:
                self._add(one)

    def _add(self, one: Declared) -> None:
        name, at, digest = one.name.partition("@")
        if at:
            self._digests.setdefault(digest, []).append(one)
        else:
            if (digits := _ID.fullmatch(name)) is not None:
                self._ids.append((digits[1], one))
            self._exact.setdefault(with_registry(with_tag(name)), []).append(one)

    def of(self, image: Image) -> Iterator[Declared]:
        """Yield what declares an image."""
        for tag in image.tags:
            for spelling in dict.fromkeys(self._spellings(tag)):
                yield from self._exact.get(spelling, ())
            yield from self._patterns.of({tag, without_registry(tag), with_registry(tag)})
        if self._digests:
            for digest in {image.id, *(one.partition("@")[2] for one in image.digests)}:
                yield from self._digests.get(digest, ())
        yield from (one for digits, one in self._ids if image.id.removeprefix("sha256:").startswith(digits))

    def _spellings(self, tag: str) -> Iterator[str]:
        """Yield the references that mean what has this tag: Podman takes a name without a registry from any that it is
        told to search, and names what it builds localhost/."""
        yield with_registry(tag)
        repository = whole_repository_of(tag)
        registry, slash, rest = repository.partition("/")
        if self._is_podman and slash and ("." in registry or ":" in registry or registry == "localhost"):
            yield with_registry(f"{rest}:{tag_of(tag)}")
