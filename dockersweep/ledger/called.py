"""Which objects of the past a person means by a text: a name, a tag, an id or its beginning, or KIND:NAME.

As with `explain`, a whole name or id wins over the beginning of an id, and volumes are known by whole names only.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dockersweep.model.inventory import KINDS

_DIGEST = "sha256:"
# Podman keeps the registry with the name where Docker leaves it out.
_UNSAID = ("docker.io/library/", "docker.io/", "localhost/")

Place = tuple[int, str, str]
"""An object: the number of its engine, its kind and its id."""


@dataclass(frozen=True, slots=True)
class Named:
    """What an object was called at some time."""

    place: Place
    names: tuple[str, ...]


def places_called(known: Iterable[Named], text: str) -> set[Place]:
    """Return the objects that a text can mean."""
    everything = list(known)
    meanings = list(_meanings(text))
    for is_meant in (_is_called, _begins_with):
        found = {
            one.place
            for kind, name in meanings
            for one in everything
            if name and kind in (None, one.place[1]) and is_meant(one, name)
        }
        if found:
            return found
    return set()


def _meanings(text: str) -> Iterator[tuple[str | None, str]]:
    """A text like `image:1` may be a kind with a name, or an image that is called image."""
    yield None, text
    for kind in KINDS:
        if text.startswith(f"{kind}:"):
            yield kind, text.removeprefix(f"{kind}:")


def _is_called(one: Named, name: str) -> bool:
    kind, object_id = one.place[1:]
    if name in (object_id, object_id.removeprefix(_DIGEST)) or name in one.names:
        return True
    if kind == "container":
        return name.removeprefix("/") in one.names
    if kind != "image":
        return False
    short = {_without_registry(name) for name in one.names}
    return _without_registry(name) in short or f"{_without_registry(name)}:latest" in short


def _without_registry(name: str) -> str:
    for prefix in _UNSAID:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def _begins_with(one: Named, name: str) -> bool:
    kind, object_id = one.place[1:]
    if kind == "volume":
        return False
    digits = name.removeprefix(_DIGEST)
    return bool(digits) and (object_id.startswith(name) or object_id.removeprefix(_DIGEST).startswith(digits))
