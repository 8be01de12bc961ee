"""Finds the objects that a person may mean by a text: a name, tag, digest or the beginning of an id, maybe with a kind.

A whole name or id wins over the beginning of an id, as in docker. Volumes have only whole names. The rules are the same
for objects of an engine (`find_objects`) and for those in the ledger (`meant_by`).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Generic, TypeVar

from msgspec import Struct

from dockersweep.model.image_references import repository_of, without_registry
from dockersweep.model.inventory import KINDS, BuildCacheRecord, Image, Inventory, Kind, Object, ObjectRef
from dockersweep.model.naming import id_of, image_name, kind_of, name_of, objects_of, ref_of, short_id

MOST_SUGGESTIONS = 5
MOST_TEXTS = 10
DIGEST = "sha256:"

T = TypeVar("T")


class Named(Struct, Generic[T], frozen=True, gc=False):
    """Something that a person may mean, with its names."""

    what: T
    kind: Kind
    id: str
    names: tuple[str, ...]
    """Its whole names; for an image, its tags and references by digest."""


_Test = Callable[[Named[T]], bool]


def meant_by(text: str, known: Sequence[Named[T]]) -> list[Named[T]]:
    """Return those that a text may mean: all with that whole name or id, otherwise all whose id begins with it."""
    return called(text, known) or _that_pass(_begins_with, text, known)


def called(text: str, known: Sequence[Named[T]]) -> list[Named[T]]:
    """Return those that have a text as a whole name or id."""
    return _that_pass(_is_called, text, known)


def _that_pass(test_for: "Callable[[str], _Test[T]]", text: str, known: Sequence[Named[T]]) -> list[Named[T]]:
    meant: dict[int, Named[T]] = {}
    # A text like `image:1` may be a kind with a name, or an image called image.
    for kind, name in _meanings(text):
        test = test_for(name)
        if name:
            meant |= {
                place: named
                for place, named in enumerate(known)
                if (kind is None or named.kind == kind) and test(named)
            }
    return [meant[place] for place in sorted(meant)]


def _meanings(text: str) -> Iterator[tuple[Kind | None, str]]:
    """Yield the kinds that a text may name, None for any, each with the rest of the text."""
    yield None, text
    for kind in KINDS:
        if text.startswith(f"{kind}:"):
            yield kind, text.removeprefix(f"{kind}:")


def _is_called(name: str) -> _Test[T]:
    """Return the test whether this is the whole name or id."""
    # Docker writes a slash before the names of containers.
    is_no_spelling = {name, name.removeprefix("/")}.isdisjoint
    short = without_registry(name)
    # A name without a tag means "latest"; one with a registry's port has a colon, but no tag.
    references = {short, f"{short}:latest"} if repository_of(short) == short else {short}
    at_digest = f"@{name}" if name.startswith(DIGEST) else None
    ids = name, f"{DIGEST}{name}"

    def is_called(named: Named[T]) -> bool:
        names = named.names
        if named.id in ids:
            return True
        if named.kind != "image":
            return not is_no_spelling(names)
        for reference in names:
            if without_registry(reference) in references or (at_digest and reference.endswith(at_digest)):
                return True
        return name in names

    return is_called


def _begins_with(name: str) -> _Test[T]:
    """Return the test whether an id begins with this, with `sha256:` or without."""
    digits = name.removeprefix(DIGEST)

    def begins_with(named: Named[T]) -> bool:
        if named.kind == "volume" or not digits:
            return False
        return named.id.startswith(name) or named.id.removeprefix(DIGEST).startswith(digits)

    return begins_with


class Found(Struct, frozen=True, dict=True):  # dict=True is for cached properties.
    """The objects of an engine that a text may mean."""

    text: str
    known: Sequence[Named[Object]]
    meant: Sequence[Object]

    @cached_property
    def are_called_so(self) -> bool:
        """Whether the text is a whole name or id, rather than the beginning of an id."""
        return bool(called(self.text, self.known))

    @cached_property
    def matches(self) -> tuple[ObjectRef, ...]:
        """Return their references, by kind and id; empty where nothing matches."""
        return tuple(map(ref_of, self.meant))

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Return unambiguous texts for the first ten of them: "container:web"; where nothing matches, for objects with
        similar names."""
        shown = self.meant[:MOST_TEXTS] or _similar(self.known, self.text)
        return tuple(_clear_text(self.known, item) for item in shown)


def find_objects(inventory: Inventory, text: str) -> Found:
    """Return the objects that a text may mean: a name, a tag, the beginning of an id, or any of them as `kind:name`."""
    known = [
        Named(item, kind, id_of(item), _whole_names(item)) for kind in KINDS for item in objects_of(inventory, kind)
    ]
    meant = sorted(meant_by(text, known), key=lambda named: (KINDS.index(named.kind), named.id))
    return Found(text, known, [named.what for named in meant])


def _whole_names(item: Object) -> tuple[str, ...]:
    if isinstance(item, Image):
        shown = () if item.tags else (image_name(item),)
        return (*item.tags, *item.digests, *shown, *(() if item.manifest is None else (item.manifest,)))
    return (name_of(item),)


def _clear_text(known: Sequence[Named[Object]], item: Object) -> str:
    """Return the shortest `kind:name` that means only this object; its full id if all others are ambiguous."""
    kind, full_id = kind_of(item), id_of(item)
    for name in (_short_name(item), short_id(full_id)):
        text = f"{kind}:{name}"
        if [(named.kind, named.id) for named in meant_by(text, known)] == [(kind, full_id)]:
            return text
    return f"{kind}:{full_id}"


def _short_name(item: Object) -> str:
    if isinstance(item, BuildCacheRecord):
        return short_id(item.id)
    if isinstance(item, Image):
        return image_name(item) if item.tags else short_id(item.id)
    return item.name


def _similar(known: Sequence[Named[Object]], text: str) -> list[Object]:
    """Return objects with a similar name: other tags of the repository first, then names that contain the text."""
    from difflib import get_close_matches

    kind, name = list(_meanings(text))[-1]
    by_name: dict[str, Object] = {}
    for named in known:
        if kind in (None, named.kind):
            by_name.update(dict.fromkeys(_similar_names(named.what), named.what))
    short = without_registry(name.removeprefix("/"))
    if not short:
        return []
    repository = repository_of(short)
    close = [other for other, item in by_name.items() if isinstance(item, Image) and repository_of(other) == repository]
    close += [other for other in by_name if len(short) > 1 and short in other]
    close += get_close_matches(short, by_name, n=MOST_SUGGESTIONS)
    similar = {ref_of(by_name[other]): by_name[other] for other in close}
    return list(similar.values())[:MOST_SUGGESTIONS]


def _similar_names(item: Object) -> tuple[str, ...]:
    if isinstance(item, Image):
        return tuple(without_registry(tag) for tag in item.tags)
    return (name_of(item),)
