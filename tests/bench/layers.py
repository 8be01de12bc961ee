"""What it costs to know which bytes come back: of 1,000 images on an engine, and of 20,000 in a saved scan."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.measure import BenchError, Sample, in_turn, median
from tests.bench.table import Row
from tests.rig.engines.archive import ImageSpec
from tests.rig.engines.litter import Litter

IMAGES, SHARING = 1_000, 200
_AT_ONCE = 250
_MANY_IMAGES, _BASES, _LAYERS_OF_A_BASE, _LAYERS_ON_TOP = 20_000, 2_000, 10, 9
_SECONDS_OVER, _SECONDS_OF_PLAN = 0.5, 3.0


def fill(litter: Litter) -> None:
    """Load the images, of which some depend on layers of others."""
    specs = [_image(number) for number in range(IMAGES)]
    for start in range(0, IMAGES, _AT_ONCE):
        litter.images(specs[start : start + _AT_ONCE])


def _image(number: int) -> ImageSpec:
    if number >= SHARING:
        return ImageSpec((f"own/app-{number}:1",), {f"own-{number}": 10_000}, {"number": str(number)})
    layers = {f"base-{number % 20}": 100_000, f"middle-{number % 50}": 10_000, f"top-{number}": 1_000}
    return ImageSpec((f"shared/app-{number}:1",), layers, {"number": str(number)})


def rows(scan: Any, forget: Path, rounds: int) -> list[Row]:
    """The scans: `scan` runs dockersweep's with further words, `forget` is the folder of its ledger."""

    def first() -> Sample:
        shutil.rmtree(forget, ignore_errors=True)
        return _checked(scan())

    firsts, laters, without = in_turn(rounds, first, lambda: _checked(scan()), lambda: scan("--no-sizes"))
    seconds = [median(samples, lambda sample: sample.wall) for samples in (firsts, laters, without)]
    what = f"over a scan --no-sizes, {IMAGES} images of which {SHARING} share layers"
    return [
        Row(f"the first scan, {what}", seconds[0] - seconds[2], aim=_SECONDS_OVER),
        Row(f"later ones, {what}", seconds[1] - seconds[2]),
    ]


def _checked(sample: Sample) -> Sample:
    storage = json.loads(sample.output)["storage"]
    layers = [part for part in storage["parts"] if part["id"].startswith("layer:")]
    if storage["base"] != "disk" or len(layers) < IMAGES:
        raise BenchError(f"a scan told of {len(layers)} layers in {storage['base']}")
    return sample


def large_inventory(small: dict[str, Any], path: Path) -> int:
    """Write a scan of 20,000 images on 200,000 layers, each image like one that an engine told of; return how many
    parts it has."""
    model = small["images"][0]
    ids = [f"sha256:{_digest(f'image {number}')}" for number in range(_MANY_IMAGES)]
    parts = list(_parts(ids))
    images = [{**model, "id": one, "tags": [f"many/app:{number}"], "digests": []} for number, one in enumerate(ids)]
    storage = {**small["storage"], "parts": parts}
    path.write_text(json.dumps({**small, "images": images, "containers": [], "storage": storage}))
    return len(parts)


def _parts(ids: list[str]) -> Iterator[dict[str, Any]]:
    for base in range(_BASES):
        yield from _chain(f"base {base}", None, _LAYERS_OF_A_BASE)
    for number, one in enumerate(ids):
        below = _layer(f"base {number % _BASES}", _LAYERS_OF_A_BASE - 1)
        yield from _chain(one, below, _LAYERS_ON_TOP)
        yield {"id": f"image:{one}", "needs": [_layer(one, _LAYERS_ON_TOP - 1)], "low_bytes": 4096, "high_bytes": 4096}


def _chain(name: str, below: str | None, count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        needs = [_layer(name, number - 1)] if number else [below] if below else []
        folder = f"overlay2/{_digest(f'folder {name} {number}')}"
        yield {"id": _layer(name, number), "needs": needs, "low_bytes": 1000, "high_bytes": 1000, "folder": folder}


def _layer(name: str, number: int) -> str:
    return f"layer:sha256:{_digest(f'{name} {number}')}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def plan_row(samples: list[Sample]) -> Row:
    """The plan of that inventory."""
    what = f"plan --inventory of {_MANY_IMAGES:,} images"
    return Row(what, median(samples, lambda sample: sample.wall), aim=_SECONDS_OF_PLAN)
