"""Whether the objects of an engine can be read off its disk."""

import os

from dockersweep.engine.disk.ownership import ListedObjects
from dockersweep.engine.disk.parts import UnreadableStorageError
from dockersweep.engine.disk.stores import Stores, find_stores
from dockersweep.model.inventory import Inventory


def stores_to_read(inventory: Inventory) -> Stores | None:
    """Return where an engine has its data on this machine, to read them as root beside an engine of root's; None where
    everything has to come through its API."""
    if os.geteuid() != 0:
        return None
    listed = ListedObjects(inventory.containers, inventory.images, inventory.volumes, inventory.build_cache)
    try:
        stores = find_stores(inventory.engine, listed)
        return stores if is_of_root(stores) else None
    except (UnreadableStorageError, OSError):
        return None


def is_of_root(stores: Stores) -> bool:
    """Return whether an engine's folder belongs to root. Raises OSError."""
    return os.stat(stores.root).st_uid == 0
