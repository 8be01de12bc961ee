"""How large objects are, in the base of the inventory's storage: lengths as the engine tells them, or disk blocks."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

from dockersweep.model.inventory import BuildCacheRecord, Container, Image, Inventory, Kind, Network, Object
from dockersweep.model.naming import size_of
from dockersweep.model.plan import Interval
from dockersweep.model.storage import Part, SizeBase
from dockersweep.policy.holdings import part_id


def size_base(inventory: Inventory) -> SizeBase:
    """Return what sizes are counted in."""
    return inventory.storage.base if inventory.storage else "lengths"


class Sizes:
    """The sizes of one inventory's objects, those that they share with others included."""

    def __init__(self, inventory: Inventory) -> None:
        self._on_disk = size_base(inventory) == "disk"
        parts = inventory.storage.parts if inventory.storage else ()
        self._parts = {part.id: part for part in parts}
        self._below: dict[str, int | None] = {}
        self._of_kinds: dict[Kind, set[str]] = {}

    def of(self, seen: Object) -> int | None:
        """Return the size in bytes, None where it is not known; a network takes nothing."""
        if not self._on_disk or type(seen) is Network:
            return size_of(seen)
        own = self._parts.get(part_id(seen))
        if own is None:
            return None
        if type(seen) is Image:
            return self._with_all_below(own)
        if type(seen) is Container:
            return _added(own.high_bytes, *(part.high_bytes for part in self._direct(own) if self._is_its_own(part)))
        if type(seen) is BuildCacheRecord:
            return _added(own.high_bytes, *(part.high_bytes for part in self._direct(own)))
        return own.high_bytes

    def everything(self, seen: Iterable[Object], kind: Kind, but_of: Sequence[Kind] = ()) -> Interval:
        """Return what all objects of a kind take on disk, what they share counted once; of what is not known nothing
        is in the lower bound, and there is no upper one.

        `seen` are the objects that were listed; `but_of` names kinds whose parts are left out.
        """
        parts = self._reachable(kind).difference(*map(self._reachable, but_of))
        sizes = [self._parts[one].high_bytes for one in parts]
        is_known = None not in sizes and all(part_id(one) in self._parts for one in seen)
        total = sum(size or 0 for size in sizes)
        return Interval(low_bytes=total, high_bytes=total if is_known else None)

    def in_the_folder(self, kinds: Sequence[Kind]) -> int | None:
        """Return what the objects of these kinds take in the engine's own folder, and not elsewhere; None where that
        is not known."""
        parts = [self._parts[one] for one in set().union(*map(self._reachable, kinds))]
        # What lies elsewhere has a whole path.
        return _added(*(part.high_bytes for part in parts if part.folder is None or not part.folder.startswith("/")))

    def _reachable(self, kind: Kind) -> set[str]:
        if kind not in self._of_kinds:
            self._of_kinds[kind] = self._reached_from(kind)
        return self._of_kinds[kind]

    def _reached_from(self, kind: Kind) -> set[str]:
        seen: set[str] = set()
        waiting = [part for part in self._parts if part.startswith(f"{kind}:")]
        while waiting:
            part = waiting.pop()
            if part not in seen:
                seen.add(part)
                waiting += [one for one in self._parts[part].needs if one in self._parts]
        return seen

    def _is_its_own(self, part: Part) -> bool:
        """Whether a part below a container is its writable layer, and not of its image."""
        return not part.id.startswith("layer:") and self._needed[part.id] == 1

    @cached_property
    def _needed(self) -> Counter[str]:
        """How many parts need each."""
        return Counter(one for part in self._parts.values() for one in part.needs)

    def _direct(self, own: Part) -> list[Part]:
        """Return the parts right below one, through those that only point at another. A record also needs those that
        it was built on, which count for themselves."""
        found = []
        waiting = [one for one in own.needs if not one.startswith("build-cache:")]
        seen = set(waiting)
        while waiting:
            part = self._parts.get(waiting.pop())
            if part is not None and part.folder is None and part.high_bytes == 0:
                waiting += [one for one in part.needs if one not in seen]
                seen.update(part.needs)
            elif part is not None:
                found.append(part)
        return found

    def _with_all_below(self, top: Part) -> int | None:
        """Add up a part and all that it stands on. A chain, in which each needs one other, is added up only once."""
        chain: dict[str, Part] = {}
        part: Part | None = top
        while part is not None and part.id not in self._below and part.id not in chain and len(part.needs) == 1:
            chain[part.id] = part
            part = self._parts.get(part.needs[0])
        total = 0 if part is None else self._below[part.id] if part.id in self._below else self._spread(part)
        for part in reversed(chain.values()):
            total = None if total is None or part.high_bytes is None else total + part.high_bytes
            self._below[part.id] = total
        return total

    def _spread(self, top: Part) -> int | None:
        """Add up where the ways part and may meet again: each part once."""
        seen: dict[str, int | None] = {}
        waiting = [top]
        while waiting:
            part = waiting.pop()
            if part.id not in seen:
                seen[part.id] = part.high_bytes
                waiting += [self._parts[one] for one in part.needs if one in self._parts]
        return _added(*seen.values())


def _added(*sizes: int | None) -> int | None:
    return None if None in sizes else sum(size or 0 for size in sizes)
