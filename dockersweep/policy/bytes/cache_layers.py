"""Which layers of images the records of the build cache may hold, where only the engine's API is at hand.

BuildKit keeps one snapshot per layer, those of the base image included, so a record with n ancestors holds a layer
above n others. A record's parent holds the layer below, and a record that was built here has the size of its layer,
with two exceptions: a record that came from an image or from a cache elsewhere reports 0, and one that was measured
before it became a layer counts the lengths of symbolic links too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from dockersweep.model.inventory import BuildCacheRecord, Image, Inventory
from dockersweep.model.storage import Part

LAYER = "layer:"
_FROM_AN_IMAGE = ("from local ", "pulled from ", "imported ")
_BUILT_HERE = ("mount ", "[", "fileop ", "copy ", "local source ", "http url ", "cached mount ", "git ")
"""How BuildKit describes the results of its own steps, which it measures."""
_TELLING_BYTES = 65_536
"""Two layers of this size or more are hardly ever equal in size to the byte without being the same."""
_MOST_STEPS = 1_000_000
"""How many layers to look at before leaving the rest of the records open."""
_MOST_HELD = 500
"""A record that may hold more layers than this is left open."""
_FEW = 64
"""Up to this many parents, layers are looked up as their children, and not by size."""
_EXACT, _LOOSE, _ANY = 0, 1, 2

Domain = frozenset[int]
"""The layers that a record may hold, by their numbers."""
_BOTTOM: Domain = frozenset([-1])


def may_hold(inventory: Inventory, parts: Mapping[str, Part]) -> dict[str, frozenset[str]]:
    """Return shared record id -> ids of the layers of which it holds one, and with that all layers below.

    Where there is only one, it certainly holds it. A shared record that is missing here may hold any layer.
    """
    engine = inventory.engine
    records = inventory.build_cache or ()
    if engine.flavour == "podman" or engine.image_store == "containerd" or not any(record.shared for record in records):
        return {}
    if any(_has_unknown_layers(image, parts) for image in inventory.images):
        # Any record may hold a layer of this image.
        return {}
    layers = _Layers(parts)
    search = _Search(layers)
    held: dict[str, frozenset[str]] = {}
    for family in _families(records):
        for member, domain in zip(family, search.solve(family) or (), strict=False):
            if len(domain) <= _MOST_HELD:
                held[member.record.id] = layers.names(domain)
    return held


class _Layers:
    """The layers as a forest of numbers; -1 is below the lowest."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        layers = [part for part in parts.values() if part.id.startswith(LAYER)]
        self.ids = [part.id for part in layers]
        self.parents: list[int] = []
        self.children: dict[int, list[int]] = {}
        self._low = [part.low_bytes for part in layers]
        self._high = [part.high_bytes for part in layers]
        self._bytes_in: dict[int, int] = {}
        """Layer -> the layer above that has the bytes of both, where the storage does not divide them."""
        self._one_of: dict[int, frozenset[int]] = {}
        """Undivided layer -> sizes: it has one of them, or 0."""
        numbers = {part_id: number for number, part_id in enumerate(self.ids)}
        for number, part in enumerate(layers):
            parent = next((numbers[need] for need in part.needs if need in numbers), -1)
            self.parents.append(parent)
            self.children.setdefault(parent, []).append(number)
        for number, part in enumerate(layers):
            if part.undivided_layers > 1:
                self._join(number, part)
        self._index()

    def _join(self, top: int, part: Part) -> None:
        """Record that any of the undivided layers may have all the bytes, or none."""
        one_of = frozenset(part.undivided_sizes)
        number = top
        for _ in range(part.undivided_layers):
            if number < 0 or number in self._bytes_in:
                break
            self._low[number], self._high[number] = 0, self._high[top]
            if number != top:
                self._bytes_in[number] = top
            if one_of:
                self._one_of[number] = one_of
            number = self.parents[number]

    def _index(self) -> None:
        self._of_size: list[dict[int | None, list[int]]] = [{}]
        """Depth -> size -> layers; None is the size of layers of unknown size."""
        below = self.children.get(-1, [])
        while below:
            here: dict[int | None, list[int]] = {}
            for number in below:
                low = self._low[number]
                if low == self._high[number]:
                    here.setdefault(low, []).append(number)
                else:
                    for size in self._one_of.get(number, (None,)):
                        here.setdefault(size, []).append(number)
            self._of_size.append(here)
            below = [child for number in below for child in self.children.get(number, ())]

    def of_size(self, depth: int, size: int) -> list[int]:
        """Return the layers at a depth that may have this size in bytes."""
        here = self._of_size[depth] if depth < len(self._of_size) else {}
        return here.get(size, []) + here.get(None, [])

    def above(self, below: Iterable[int]) -> Iterator[int]:
        """Yield the layers directly above these."""
        return (child for number in below for child in self.children.get(number, ()))

    def names(self, domain: Iterable[int]) -> frozenset[str]:
        """Return the ids; for an undivided layer, that of the layer with the bytes too."""
        numbers = set(domain)
        numbers |= {self._bytes_in[number] for number in numbers if number in self._bytes_in}
        return frozenset(self.ids[number] for number in numbers)

    def fits(self, number: int, record: BuildCacheRecord, level: int) -> bool:
        """Return whether a layer can be the record's, by its measured size; `level` says how exactly."""
        size, high = _measured_bytes(record), self._high[number]
        if size is None or level == _ANY:
            return True
        if self._low[number] > size:
            return False
        if level == _LOOSE or size < _TELLING_BYTES:
            return True
        return size in self._one_of[number] if number in self._one_of else high is None or size <= high


class _Member(Struct, frozen=True):
    """A record and its place in its family."""

    record: BuildCacheRecord
    parent: int
    """Its parent's index in the family; -1 for the first."""
    depth: int
    """How many layers it holds, its own included."""


def _families(records: Sequence[BuildCacheRecord]) -> Iterator[list[_Member]]:
    """Yield the trees of shared records, parents first, without records that have several parents or one that is not
    listed or not shared, and all their descendants: their depth is not known."""
    children: dict[str | None, list[BuildCacheRecord]] = {}
    for record in records:
        if record.shared and len(record.parents) <= 1:
            children.setdefault(record.parents[0] if record.parents else None, []).append(record)
    for first in children.get(None, ()):
        family = [_Member(first, -1, 1)]
        for place, member in enumerate(family):
            for child in children.get(member.record.id, ()):
                # The list grows while the loop walks it.
                family.append(_Member(child, place, member.depth + 1))
        yield family


class _Search:
    """Finds for each record of a family the layers that fit its size, and the layers of its parent and children.

    Many families begin alike, with records of images without a size. Their domains are computed once; equal ones are
    the same object, so they are compared by identity.
    """

    def __init__(self, layers: _Layers) -> None:
        self._layers = layers
        self._steps = 0
        self._domains: dict[tuple[int, int | None, int], Domain] = {}
        self._parents: dict[int, tuple[Domain, Domain]] = {}

    def solve(self, family: Sequence[_Member]) -> list[Domain] | None:
        """Return the domain of each record; None where nothing fits, or after too many steps."""
        for level in (_EXACT, _LOOSE, _ANY):
            domains = self._downwards(family, level)
            if domains is not None and self._agree(family, domains):
                return domains
        return None

    def _downwards(self, family: Sequence[_Member], level: int) -> list[Domain] | None:
        domains: list[Domain] = []
        for member in family:
            below = _BOTTOM if member.parent < 0 else domains[member.parent]
            key = (id(below), _measured_bytes(member.record), level)
            if key not in self._domains:
                self._domains[key] = self._above(below, member, level)
            domains.append(self._domains[key])
            if not domains[-1]:
                return None
        return domains

    def _above(self, below: Domain, member: _Member, level: int) -> Domain:
        layers, size = self._layers, _measured_bytes(member.record)
        for tolerant in range(level, _ANY + 1):
            if tolerant == _EXACT and size is not None and size >= _TELLING_BYTES and len(below) > _FEW:
                sized = layers.of_size(member.depth, size)
                choice = [number for number in sized if layers.parents[number] in below]
                self._steps += len(sized)
            else:
                choice = list(layers.above(below))
                self._steps += len(below) + len(choice)
            if self._steps > _MOST_STEPS:
                break
            if fitting := frozenset(number for number in choice if layers.fits(number, member.record, tolerant)):
                return fitting
        return frozenset()

    def _agree(self, family: Sequence[_Member], domains: list[Domain]) -> bool:
        """Reduce each domain to the layers that fit all children, then the parent; return whether none is empty."""
        before = domains[:]
        for place in range(len(family) - 1, 0, -1):
            of_parent = family[place].parent
            domains[of_parent] = _both(domains[of_parent], self._below(domains[place]))
        for place in range(1, len(family)):
            of_parent = family[place].parent
            if domains[of_parent] is not before[of_parent]:
                domains[place] = _both(domains[place], frozenset(self._layers.above(domains[of_parent])))
                self._steps += len(domains[of_parent])
        return all(domains) and self._steps <= _MOST_STEPS

    def _below(self, domain: Domain) -> Domain:
        known = self._parents.get(id(domain))
        if known is None:
            self._steps += len(domain)
            # Keeps the domain alive, so that no other object can get its id.
            known = domain, frozenset(self._layers.parents[number] for number in domain)
            self._parents[id(domain)] = known
        return known[1]


def _both(first: Domain, other: Domain) -> Domain:
    """Return the intersection; the first object itself where it is contained in the other."""
    both = first & other
    return first if len(both) == len(first) else both


def _has_unknown_layers(image: Image, parts: Mapping[str, Part]) -> bool:
    """Whether an image has no part, or one part for all its layers."""
    own = parts.get(f"image:{image.id}")
    return own is None or (not own.needs and own.high_bytes != 0)


def exclusive_bytes(record: BuildCacheRecord, on_containerd: bool) -> int | None:
    """Return the bytes of a record that no image shares, None where its size does not say.

    A record from an image, or from a cache elsewhere, keeps the layer once the image is gone, but reports 0, or on the
    containerd store only the size of its blob.
    """
    is_measured = record.description.startswith(_BUILT_HERE) or (record.size_bytes and not on_containerd)
    return record.size_bytes if is_measured else None


def _measured_bytes(record: BuildCacheRecord) -> int | None:
    """Return the size of a record where it is that of its layer."""
    return None if record.description.startswith(_FROM_AN_IMAGE) else record.size_bytes or None
