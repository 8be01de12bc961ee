"""Replaces objects of an inventory."""

from collections.abc import Mapping

from msgspec.structs import replace

from dockersweep.model.inventory import Inventory, Kind, Object, ObjectRef
from dockersweep.model.naming import objects_of, ref_of


def with_objects(inventory: Inventory, changed: Mapping[ObjectRef, Object]) -> Inventory:
    """Return an inventory in which these objects replace those of the same kind and id, in the same order."""
    if not changed:
        return inventory
    kinds: dict[Kind, str] = {"container": "containers", "image": "images", "volume": "volumes", "network": "networks"}
    touched = {ref.kind for ref in changed}
    return replace(
        inventory,
        **{
            field: tuple([changed.get(ref_of(item), item) for item in objects_of(inventory, kind)])
            for kind, field in kinds.items()
            if kind in touched
        },
    )
