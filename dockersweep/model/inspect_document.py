"""An engine's own document about an object, as its API answers an inspect.

It may come from an archive, so nothing in it is trusted to have the expected type.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]


def part(document: Json, key: str) -> Json:
    """Return an object within a document; an empty one where there is none."""
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}


def values(document: Json, key: str) -> list[Any]:
    """Return a list within a document; an empty one where there is none."""
    value = document.get(key)
    return value if isinstance(value, list) else []


def parts(document: Json, key: str) -> Iterator[Json]:
    """Yield the objects in a list within a document."""
    yield from (value for value in values(document, key) if isinstance(value, Mapping))


def image_id_of(document: Json) -> str:
    """Return the id of a container's image, as Docker writes it; empty where the document has none."""
    told = str(document.get("Image") or "")
    return told if ":" in told or not told else f"sha256:{told}"
