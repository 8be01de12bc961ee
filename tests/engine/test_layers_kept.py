"""The sizes of layers that are told, held against what real engines keep on their disks."""

import json
import time
from collections.abc import Iterable, Iterator

import pytest

from dockersweep.engine.api.answers import ImageLayers
from dockersweep.engine.reading.image_layers import read_layers
from dockersweep.engine.reading.layer_parts import layer_parts
from dockersweep.model.inventory import Image
from dockersweep.model.storage import Part
from tests.rig.empty_layers import GRAPHDRIVERS, litter_with_empty_layers
from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.own_scan import own_client


def everything_told(engine: Engine) -> tuple[tuple[Image, ...], dict[str, ImageLayers]]:
    """The images, and what is told of the layers of all of them."""
    with own_client(engine) as client:
        images = client.images()
        layers = read_layers(client, [seen.id for seen in images], {}, {})
    assert set(layers) == {seen.id for seen in images}
    return images, layers


def layerdb_sizes(engine: Engine) -> dict[str, int]:
    """The size of each layer of the classic image store, from its own files."""
    folders = (engine.data_root / "image/overlay2/layerdb/sha256").iterdir()
    return {f"layer:sha256:{folder.name}": int((folder / "size").read_text()) for folder in folders}


def divided(parts: Iterable[Part]) -> Iterator[tuple[Part, list[str]]]:
    """Each layer that is told, with all those that it has the bytes of."""
    by_id = {part.id: part for part in parts}
    merged: set[str] = set()
    found = []
    for part in by_id.values():
        if part.id.startswith("layer:"):
            run = [part.id]
            while len(run) < part.undivided_layers:
                run.append(by_id[run[-1]].needs[0])
            merged |= set(run[1:])
            found.append((part, run))
    return ((part, run) for part, run in found if part.id not in merged)


@pytest.mark.on_engines(*GRAPHDRIVERS)
@pytest.mark.enough_on(GRAPHDRIVERS[0], GRAPHDRIVERS[-1])
def test_layers_are_as_large_as_the_engine_keeps_them(engine: Engine, litter: Litter) -> None:
    litter_with_empty_layers(litter)
    images, layers = everything_told(engine)
    true = layerdb_sizes(engine)
    seen = set()
    for part, run in divided(layer_parts(images, layers, "overlay2", "docker")):
        assert part.low_bytes == sum(true[one] for one in run) == part.high_bytes, (part, run)
        seen |= set(run)
    assert seen == set(true)


@pytest.mark.on_engines("docker-28.5-containerd")
def test_snapshots_and_contents_are_as_large_as_they_are_kept(engine: Engine, litter: Litter) -> None:
    litter_with_empty_layers(litter)
    images, layers = everything_told(engine)
    assert all(seen.manifest for seen in images)
    parts = {part.id: part for part in layer_parts(images, layers, "containerd", "docker")}
    alone = next(seen for seen in images if seen.tags == ("shop/alone:1",))
    snapshots = sum(parts[need].low_bytes for need in parts[f"image:{alone.id}"].needs)
    assert (
        parts[f"image:{alone.id}"].low_bytes
        == parts[f"image:{alone.id}"].high_bytes
        == (alone.size_bytes or 0) - snapshots
    )
    before = contents(engine)
    engine.wire.call("DELETE", f"/images/{alone.id}")
    deadline = time.monotonic() + 20
    while contents(engine) == before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert before - contents(engine) == parts[f"image:{alone.id}"].low_bytes


def contents(engine: Engine) -> int:
    """The bytes of all blobs of the containerd store."""
    blobs = engine.data_root.glob("containerd/daemon/io.containerd.content.v1.content/blobs/sha256/*")
    return sum(blob.stat().st_size for blob in blobs)


@pytest.mark.on_engines("podman-5.8", "podman-6.1")
def test_podman_has_each_layer_as_often_as_it_keeps_it(engine: Engine, litter: Litter) -> None:
    litter_with_empty_layers(litter)
    images, layers = everything_told(engine)
    kept = json.loads((engine.data_root / "overlay-layers/layers.json").read_text())
    true = {f"layer:{layer['id']}": layer["diff-size"] for layer in kept}
    parts = layer_parts(images, layers, "overlay", "podman")
    assert {part.id: part.low_bytes for part in parts if part.id.startswith("layer:")} == true
    assert all(part.low_bytes == part.high_bytes for part in parts)
