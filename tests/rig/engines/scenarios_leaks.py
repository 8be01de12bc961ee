"""What nobody owns in an engine's folders: it must neither be promised nor be missed when the rest goes."""

from __future__ import annotations

from tests.rig.engines.archive import ImageSpec, random_bytes
from tests.rig.engines.litter import Litter

_MB = 1_000_000
_LEFT = "1eaf" * 16
"""As an engine names layers and containers."""
_LAYERS = {"overlay2": f"overlay2/{_LEFT}/diff", "btrfs": f"btrfs/subvolumes/{_LEFT}"}


def leaks(litter: Litter) -> None:
    """Two images with a common layer, a container and a volume, each beside a folder of its like that nobody owns.

    containerd takes such a snapshot away by itself whenever it collects its garbage.
    """
    base = {"base": 4 * _MB}
    litter.images(
        [ImageSpec(("app/one:1",), {**base, "one": _MB}), ImageSpec(("app/two:1",), {**base, "two": 2 * _MB})]
    )
    litter.container("stopped", writes=_MB)
    litter.volume("owned", size=2 * _MB)
    litter.engine.spoil()
    kind = litter.engine.kind
    is_podman = kind.flavour == "podman"
    layer = f"overlay/{_LEFT}/diff" if is_podman else _LAYERS.get(kind.image_store)
    container = f"overlay-containers/{_LEFT}/userdata" if is_podman else f"containers/{_LEFT}"
    for place in (layer, container, "volumes/left/_data"):
        if place is not None:
            folder = litter.engine.data_root / place
            folder.mkdir(parents=True)
            (folder / "left").write_bytes(random_bytes(place, 8 * _MB))
