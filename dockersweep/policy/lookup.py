"""Which objects a person can mean by a text: names, tags, digests, beginnings of ids, each with its kind or without.

A whole name or id wins over the beginning of an id, as it does with docker. Volumes are known by whole names only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from dockersweep.model.inventory import KINDS, BuildCacheRecord, Image, Inventory, Kind, Object, Volume
from dockersweep.model.naming import id_of, image_name, kind_of, name_of, objects_of, ref_of, short_id
from dockersweep.model.plan import ObjectRef
from dockersweep.policy.image_names import repository_of, without_registry

MOST_SUGGESTIONS = 5
MOST_TEXTS = 10
DIGEST = "sha256:"


@dataclass(frozen=True)
class Found:
    """What a text can mean."""

    matches: tuple[ObjectRef, ...]
    """By kind and id; one where the text is clear, none where nothing is called that."""
    texts: tuple[str, ...]
    """How to write the first ten of them so that it is clear: "container:web". Where nothing matches, what is called
    like it."""


def find_objects(inventory: Inventory, text: str) -> Found:
    """Return what a person can mean by a text: a name, a tag, the beginning of an id, or any of them as `kind:name`."""
    objects = list(objects_of(inventory))
    matches = _matches(objects, text)
    if matches:
        matches.sort(key=lambda seen: (KINDS.index(kind_of(seen)), id_of(seen)))
        return Found(tuple(map(ref_of, matches)), tuple(_clear_text(objects, seen) for seen in matches[:MOST_TEXTS]))
    return Found((), tuple(_clear_text(objects, seen) for seen in _similar(objects, text)))


def _matches(objects: list[Object], text: str) -> list[Object]:
    """A text like `image:1` may be a kind with a name, or an image called image."""
    meanings = list(_meanings(text))
    for is_meant in (_is_called, _begins_with):
        found = {
            ref_of(seen): seen
            for kind, name in meanings
            for seen in objects
            if name and kind in (None, kind_of(seen)) and is_meant(seen, name)
        }
        if found:
            return list(found.values())
    return []


def _meanings(text: str) -> Iterator[tuple[Kind | None, str]]:
    """Yield the kinds that a text can speak of, None for any, each with the name that is then left."""
    yield None, text
    for kind in KINDS:
        if text.startswith(f"{kind}:"):
            yield kind, text.removeprefix(f"{kind}:")


def _is_called(seen: Object, name: str) -> bool:
    """Whether this is a whole name or the whole id of an object."""
    if isinstance(seen, Image):
        return _is_image_called(seen, name)
    if isinstance(seen, BuildCacheRecord):
        return name in (seen.id, seen.description)
    # Docker writes a slash before the names of containers.
    return name == id_of(seen) or seen.name in (name, name.removeprefix("/"))


def _is_image_called(image: Image, name: str) -> bool:
    if name in (image.id, image.id.removeprefix(DIGEST), image.manifest):
        return True
    short = without_registry(name)
    digests = {without_registry(digest) for digest in image.digests}
    if short in digests or (name.startswith(DIGEST) and any(one.endswith(f"@{name}") for one in digests)):
        return True
    tags = {without_registry(tag) for tag in image.tags}
    # A name without a tag means the tag latest; one with a registry's port has a colon, but no tag.
    return short in tags or (repository_of(short) == short and f"{short}:latest" in tags)


def _begins_with(seen: Object, name: str) -> bool:
    """Whether the id of an object begins so, with `sha256:` or without."""
    if isinstance(seen, Volume):
        return False
    digits = name.removeprefix(DIGEST)
    return bool(digits) and (seen.id.startswith(name) or seen.id.removeprefix(DIGEST).startswith(digits))


def _clear_text(objects: list[Object], seen: Object) -> str:
    """Return the shortest `kind:name` that means only this object; its id in full where all others are unclear."""
    kind, full_id = kind_of(seen), id_of(seen)
    for name in (_short_name(seen), short_id(full_id)):
        text = f"{kind}:{name}"
        if [ref_of(one) for one in _matches(objects, text)] == [ref_of(seen)]:
            return text
    return f"{kind}:{full_id}"


def _short_name(seen: Object) -> str:
    if isinstance(seen, BuildCacheRecord):
        return short_id(seen.id)
    if isinstance(seen, Image):
        return image_name(seen) if seen.tags else short_id(seen.id)
    return seen.name


def _similar(objects: list[Object], text: str) -> list[Object]:
    """Return what has a name like a text: other tags of the repository first, then what has it as a part."""
    kind, name = list(_meanings(text))[-1]
    named: dict[str, Object] = {}
    for seen in objects:
        if kind in (None, kind_of(seen)):
            named.update(dict.fromkeys(_names(seen), seen))
    short = without_registry(name.removeprefix("/"))
    if not short:
        return []
    repository = repository_of(short)
    close = [one for one, seen in named.items() if isinstance(seen, Image) and repository_of(one) == repository]
    close += [one for one in named if len(short) > 1 and short in one]
    close += get_close_matches(short, named, n=MOST_SUGGESTIONS)
    found = {ref_of(named[one]): named[one] for one in close}
    return list(found.values())[:MOST_SUGGESTIONS]


def _names(seen: Object) -> tuple[str, ...]:
    if isinstance(seen, Image):
        return tuple(without_registry(tag) for tag in seen.tags)
    return (name_of(seen),)
