"""When builds last used images as their base, according to the build cache: a build causes no event for its base.

BuildKit makes a record for each layer of the base image and for each step above it, and dates them when the step runs
or is found in the cache. A record of the image's own top layer proves nothing: the build of that image left it.
"""

from datetime import datetime

from dockersweep.model.inventory import BuildCacheRecord, Inventory
from dockersweep.model.storage import LAYER_PREFIXES


def build_uses(inventory: Inventory) -> dict[str, datetime]:
    """Return image id -> when a build step on top of all its layers was last used.

    Empty where the storage does not say which layers records and images have.
    """
    if not inventory.build_cache or inventory.storage is None:
        return {}
    needs = {part.id: part.needs for part in inventory.storage.parts}
    used: dict[str, datetime] = {}
    for record, instant in _parent_uses(inventory.build_cache).items():
        for part in needs.get(f"build-cache:{record}", ()):
            if part.startswith(LAYER_PREFIXES) and (part not in used or instant > used[part]):
                used[part] = instant
    if not used:
        return {}
    layers = {image.id: needs.get(f"image:{image.id}", ()) for image in inventory.images}
    dated = {image: [used[part] for part in parts if part in used] for image, parts in layers.items()}
    return {image: max(instants) for image, instants in dated.items() if instants}


def _parent_uses(records: tuple[BuildCacheRecord, ...]) -> dict[str, datetime]:
    """Return parent record id -> the latest use of any record built on it, directly or not."""
    parents = {record.id: record.parents for record in records}
    dated = [(record.last_used_at, record) for record in records if record.last_used_at is not None and record.parents]
    dated.sort(key=lambda pair: pair[0], reverse=True)
    latest_use: dict[str, datetime] = {}
    for instant, record in dated:
        waiting = list(record.parents)
        while waiting:
            parent = waiting.pop()
            if parent not in latest_use:
                # Sorted by use, newest first: the first visit has the latest use.
                latest_use[parent] = instant
                waiting += parents.get(parent, ())
    return latest_use
