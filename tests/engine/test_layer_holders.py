"""On real engines: what a plan says of images whose layers build-cache records hold comes true."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.running import dockersweep

MEGA = 1_000_000
IMAGES = ("--all-images", "--older-than", "0s", "--kind", "image", "--keep-image", "busybox")


def told(engine: Engine, *words: str) -> Any:
    run = dockersweep(*words, "--format", "json", host=engine.url)
    assert run.status == 0, run.stderr
    return run.json()


def step_of(plan: Any, name: str) -> Any:
    [step] = [one for one in plan["removals"] if one["name"].endswith(name)]
    return step


@pytest.mark.on_engines("docker-20.10", "docker-28.5", "docker-28.5-containerd")
def test_an_image_says_what_it_would_free_with_the_records_that_hold_its_layers(engine: Engine, litter: Litter) -> None:
    litter.build_cache("app", records=3, size=8 * MEGA, image="app:1")
    litter.image("lone:1", layers={"lone": 3 * MEGA})
    plan = told(engine, "plan", *IMAGES)
    app, lone = step_of(plan, "app:1"), step_of(plan, "lone:1")
    assert lone["layers_held"] is None, "nothing else holds its layers"
    held = app["layers_held"]
    assert (held["by"], held["with_them"]["low_bytes"]) == ("build-cache", held["with_them"]["high_bytes"])
    assert app["reclaim"]["high_bytes"] <= held["with_them"]["low_bytes"] - 8 * MEGA
    records = {one["id"] for one in plan["decisions"] if one["kind"] == "build-cache"}
    assert 3 <= held["count"] <= len(records)
    of_all = plan["layers_held"]["with_them"]["low_bytes"]
    # The records may have more for themselves, and there are others, which hold no layer of these.
    everything = told(engine, "plan", "--older-than", "0s", "--all-images", "--keep-image", "busybox")
    assert held["with_them"]["low_bytes"] + lone["reclaim"]["low_bytes"] <= of_all <= everything["reclaim"]["low_bytes"]

    said = dockersweep("plan", *IMAGES, host=engine.url).stdout
    assert f"held by {held['count']} build-cache records" in said
    explained = told(engine, "explain", "app:1")
    assert explained["layers_held"] == held

    # What both free together is what was said, and then nothing is left to be said.
    both = told(engine, "plan", "--older-than", "0s", "--all-images", "--keep-image", "busybox", "--keep-image", "lone")
    assert step_of(both, "app:1")["layers_held"] is None
    only_cache = told(engine, "plan", "--older-than", "0s", "--kind", "build-cache")
    of_both, of_cache = both["reclaim"]["low_bytes"], only_cache["reclaim"]["low_bytes"]
    assert of_both - of_cache == held["with_them"]["low_bytes"]


@pytest.mark.on_engines("docker-28.5", "docker-28.5-containerd", "podman-6.1")
def test_an_image_says_with_how_many_it_shares_its_layers(engine: Engine, litter: Litter) -> None:
    for number in range(3):
        litter.image(f"app:{number}", layers={"base": 5 * MEGA, f"app{number}": 1000})
    litter.image("lone:1", layers={"lone": 5 * MEGA})
    plan = told(engine, "plan", *IMAGES, "--keep-image", "*app:1", "--keep-image", "*app:2")
    assert step_of(plan, "app:0")["layers_held"] == {"by": "image", "count": 2}
    assert step_of(plan, "lone:1")["layers_held"] is None
    assert told(engine, "explain", "app:0")["layers_held"] == {"by": "image", "count": 2}
    together = told(engine, "plan", *IMAGES)
    assert step_of(together, "app:0")["layers_held"] is None, "they go together"
