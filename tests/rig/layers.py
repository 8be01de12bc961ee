"""Layers of images as an engine tells of them, written by hand, and the parts that are made of them."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from dockersweep.engine.api.answers import ImageLayers
from dockersweep.engine.reading.layer_parts import layer_parts
from dockersweep.model.inventory import Image
from dockersweep.model.storage import Part


def chain_ids(diff_ids: Sequence[str]) -> list[str]:
    """The ids of layers, each with those below it."""
    chained: list[str] = []
    for diff_id in diff_ids:
        whole = f"{chained[-1]} {diff_id}" if chained else None
        chained.append(diff_id if whole is None else "sha256:" + hashlib.sha256(whole.encode()).hexdigest())
    return chained


def layers_of(*diff_ids: str, history: Sequence[int]) -> ImageLayers:
    """What is told of an image."""
    return ImageLayers(diff_ids=diff_ids, history_bytes=tuple(history))


def of_one_platform(seen: Image) -> Image:
    return msgspec.structs.replace(seen, manifest=f"{seen.id} manifest")


def parts_of(images: Sequence[Image], layers: Mapping[str, ImageLayers], store: str = "overlay2") -> dict[str, Part]:
    """The parts by their ids, each layer named by its own digest."""
    names = {
        chain: diff
        for one in layers.values()
        for diff, chain in zip(one.diff_ids, chain_ids(one.diff_ids), strict=True)
    }
    found = layer_parts([of_one_platform(seen) for seen in images], layers, store, "docker")
    return {part.id.replace(part.id[6:], names.get(part.id[6:], part.id[6:])): part for part in found}


def sizes_of(parts: Mapping[str, Part]) -> dict[str, tuple[int, int | None]]:
    """The bounds of those parts that can have any bytes."""
    return {name: (part.low_bytes, part.high_bytes) for name, part in parts.items() if part.high_bytes != 0}


def freed_bytes(parts: Iterable[Part], going: Collection[str]) -> tuple[int, int]:
    """The bounds of what these images free, by counting references."""
    by_id = {part.id: part for part in parts}
    needed = Counter(need for part in by_id.values() for need in part.needs)
    waiting, low, high = list(going), 0, 0
    while waiting:
        part = by_id[waiting.pop()]
        low += part.low_bytes
        assert part.high_bytes is not None
        high += part.high_bytes
        for need in part.needs:
            needed[need] -= 1
            if not needed[need]:
                waiting.append(need)
    return low, high
