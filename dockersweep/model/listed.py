"""The objects of an inventory by place: code that runs for a million objects uses indices instead of names."""

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from dockersweep.model.inventory import KINDS, Inventory, Kind, Object, ObjectRef
from dockersweep.model.naming import objects_of


class Listed:
    """The objects of one kind. The place of each is its index in the inventory."""

    def __init__(self, kind: Kind, objects: Sequence[Object], numbers: Sequence[int]) -> None:
        """If objects have the same id, which no engine allows, only the last counts. `numbers` is 0, 1, 2 and so on, at
        least as many as there are objects."""
        self.kind = kind
        self.numbers = numbers
        """The places as shared int objects, maybe with more after them: reuse these to save memory."""
        self.items: Sequence[Any] = objects
        self.ids: list[str] = list(map(attrgetter("name" if kind == "volume" else "id"), objects))
        self.places: Mapping[str, int] = dict(zip(self.ids, numbers, strict=False))
        """Id -> place."""
        if len(self.places) < len(objects):
            self.items = tuple(dict(zip(self.ids, objects, strict=True)).values())
            self.ids = list(self.places)
            self.places = dict(zip(self.ids, numbers, strict=False))

    def __len__(self) -> int:
        return len(self.ids)

    def by_id(self) -> list[int]:
        """Return the places of all objects in the order of their ids."""
        return sorted(range(len(self.ids)), key=self.ids.__getitem__)

    def ref(self, place: int) -> ObjectRef:
        """Return the reference of the object in a place."""
        return ObjectRef(kind=self.kind, id=self.ids[place])


class Listing:
    """The objects of all kinds; those of each kind are listed when first needed."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self._of_kinds: dict[Kind, Listed] = {}
        # Shared by all kinds: an int takes as much memory as its entry in a dictionary.
        self._numbers = list(range(max(len(objects_of(inventory, kind)) for kind in KINDS)))

    def of_kind(self, kind: Kind) -> Listed:
        """Return the objects of one kind."""
        listed = self._of_kinds.get(kind)
        if listed is None:
            listed = self._of_kinds[kind] = Listed(kind, objects_of(self.inventory, kind), self._numbers)
        return listed

    def place(self, ref: ObjectRef) -> int | None:
        """Return the place of an object; None where the inventory does not have it."""
        return self.of_kind(ref.kind).places.get(ref.id)

    def objects(self) -> Iterator[tuple[ObjectRef, Object]]:
        """Yield every object with its reference, in the order of the inventory."""
        for listed in map(self.of_kind, KINDS):
            for own, item in zip(listed.ids, listed.items, strict=True):
                yield ObjectRef(kind=listed.kind, id=own), item
