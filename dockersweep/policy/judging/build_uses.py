"""When builds last used images to begin from, as records of the build cache tell: a build makes no event of that.

BuildKit makes a record of each layer of such an image and of each step above it, and dates them when a step is run or
found in the cache. A record of the image's own top layer says nothing: it is also what the build of that image left.
"""

from datetime import datetime

from dockersweep.model.inventory import BuildCacheRecord, Inventory
from dockersweep.model.storage import LAYER_PREFIXES


def build_uses(inventory: Inventory) -> dict[str, datetime]:
    """Return by the ids of images when a step that depends on all of their layers was last used.

    Only where the storage tells which layers are those of records and of images.
    """
    if not inventory.build_cache or inventory.storage is None:
        return {}
    needs = {part.id: part.needs for part in inventory.storage.parts}
    used: dict[str, datetime] = {}
    for record, instant in _stood_on(inventory.build_cache).items():
        for part in needs.get(f"build-cache:{record}", ()):
            if part.startswith(LAYER_PREFIXES) and (part not in used or instant > used[part]):
                used[part] = instant
    if not used:
        return {}
    layers = {image.id: needs.get(f"image:{image.id}", ()) for image in inventory.images}
    dated = {image: [used[part] for part in parts if part in used] for image, parts in layers.items()}
    return {image: max(instants) for image, instants in dated.items() if instants}


def _stood_on(records: tuple[BuildCacheRecord, ...]) -> dict[str, datetime]:
    """Return the ids of the records on which others stand, each with the latest use of any of these."""
    parents = {record.id: record.parents for record in records}
    dated = [(record.last_used_at, record) for record in records if record.last_used_at is not None and record.parents]
    dated.sort(key=lambda one: one[0], reverse=True)
    found: dict[str, datetime] = {}
    for instant, record in dated:
        waiting = list(record.parents)
        while waiting:
            parent = waiting.pop()
            if parent not in found:
                # The latest comes first, so that each is looked at once.
                found[parent] = instant
                waiting += parents.get(parent, ())
    return found
