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
    """The objects of an inventory that files declare."""

    def __init__(self, declared: Sequence[Declared], inventory: Inventory) -> None:
        is_podman = inventory.engine.flavour == "podman"
        self.reasons: Mapping[ObjectRef, Reason] = {
            **_reasons(inventory.images, _Images(_of_kind(declared, "image"), is_podman).of),
            **_reasons(inventory.volumes, _Names(_of_kind(declared, "volume")).of),
            **_reasons(inventory.networks, _Names(_of_kind(declared, "network")).of),
        }
        """Why each declared object is kept."""


def _of_kind(declared: Iterable[Declared], kind: DeclaredKind) -> list[Declared]:
    return [declaration for declaration in declared if declaration.kind == kind]


def _reasons(items: Iterable[T], of: Callable[[T], Iterator[Declared]]) -> dict[ObjectRef, Reason]:
    return {ref_of(item): _reason(declarations) for item in items if (declarations := list(of(item)))}


def _reason(declarations: Sequence[Declared]) -> Reason:
    first = declarations[0]
    others = len({(declared.path, declared.by) for declared in declarations}) - 1
    about = DeclaredBy(path=first.path, line=first.line, by=first.by, project=first.project, others=others)
    return Reason(code="protected", rule="protection", about=about)


class _Patterns:
    """Globs made from names with variables that have no value. One combined test rules out most names at once."""

    def __init__(self, globs: Sequence[tuple[str, Declared]]) -> None:
        self._any = compile_patterns(dict.fromkeys(glob for glob, _ in globs)) if globs else None
        self._each = [(compile_pattern(glob), declared) for glob, declared in globs]

    def of(self, spellings: Collection[str]) -> Iterator[Declared]:
        """Yield what declares any of these spellings."""
        if self._any is not None and any(map(self._any, spellings)):
            yield from (declared for test, declared in self._each if any(map(test, spellings)))


class _Names:
    """Names of volumes or networks."""

    def __init__(self, declared: Iterable[Declared]) -> None:
        self._exact: dict[str, list[Declared]] = {}
        globs: list[tuple[str, Declared]] = []
        for declaration in declared:
            if declaration.is_pattern:
                globs.append((declaration.name, declaration))
            else:
                self._exact.setdefault(declaration.name, []).append(declaration)
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
        # A variable may contain the tag too, or end a name that has no tag.
        declared = tuple(declared)
        globs = [
            (glob, declaration)
            for declaration in declared
            if declaration.is_pattern
            for glob in (declaration.name, f"{declaration.name}:latest")
        ]
        self._patterns = _Patterns(globs)
        for declaration in declared:
            if not declaration.is_pattern:
                self._add(declaration)

    def _add(self, declaration: Declared) -> None:
        name, at, digest = declaration.name.partition("@")
        if at:
            self._digests.setdefault(digest, []).append(declaration)
        else:
            if (digits := _ID.fullmatch(name)) is not None:
                self._ids.append((digits[1], declaration))
            self._exact.setdefault(with_registry(with_tag(name)), []).append(declaration)

    def of(self, image: Image) -> Iterator[Declared]:
        """Yield what declares an image."""
        for tag in image.tags:
            for spelling in dict.fromkeys(self._spellings(tag)):
                yield from self._exact.get(spelling, ())
            yield from self._patterns.of({tag, without_registry(tag), with_registry(tag)})
        if self._digests:
            for digest in {image.id, *(name.partition("@")[2] for name in image.digests)}:
                yield from self._digests.get(digest, ())
        own_digits = image.id.removeprefix("sha256:")
        yield from (declaration for digits, declaration in self._ids if own_digits.startswith(digits))

    def _spellings(self, tag: str) -> Iterator[str]:
        """Yield the references that name an image with this tag: Podman searches its configured registries for a name
        without one, and puts localhost/ before what it builds."""
        yield with_registry(tag)
        repository = whole_repository_of(tag)
        registry, slash, rest = repository.partition("/")
        if self._is_podman and slash and ("." in registry or ":" in registry or registry == "localhost"):
            yield with_registry(f"{rest}:{tag_of(tag)}")
