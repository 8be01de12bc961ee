"""What is predicted is what comes back, from litters that nobody thought of: a bounded number on each real engine."""

from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.rig.engines.archive import ImageSpec, random_bytes
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import NEWEST
from tests.rig.engines.litter import BASE, Litter
from tests.rig.engines.scenarios import Cache, Step
from tests.rig.engines.truth_trial import faults, put_on_trial
from tests.rig.running import dockersweep

# Powers of two of 100 kB, so that a total names its layers; "z" is empty.
SIZES = {"a": 100_000, "b": 200_000, "c": 400_000, "d": 800_000, "e": 1_600_000, "z": 0}

Use = Literal["unused", "stopped", "running"]


@dataclass(frozen=True)
class RandomImage:
    """Layers, of which each is at most once in an image; how many names; and whether a container has it."""

    layers: tuple[str, ...]
    names: int
    use: Use
    writes: int


@dataclass(frozen=True)
class RandomLitter:
    """Some images, volumes and builds upon the images. Builds with one payload share their records."""

    images: tuple[RandomImage, ...]
    volumes: tuple[tuple[bool, int], ...]
    builds: tuple[tuple[int, str, bool], ...]
    picks: tuple[str, ...]


images = st.builds(
    RandomImage,
    layers=st.lists(st.sampled_from(sorted(SIZES)), min_size=1, max_size=4, unique=True).map(tuple),
    names=st.integers(0, 2),
    use=st.sampled_from(["unused", "unused", "stopped", "running"]),
    writes=st.sampled_from([0, 300_000]),
)
litters = st.builds(
    RandomLitter,
    images=st.lists(images, min_size=3, max_size=5).map(tuple),
    volumes=st.lists(st.tuples(st.booleans(), st.sampled_from([0, 1_000_000, 3_000_000])), max_size=2).map(tuple),
    builds=st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(["p", "q"]), st.booleans()), min_size=1, max_size=2
    ).map(tuple),
    picks=st.sampled_from(
        [
            ("--all-images", "--named-volumes"),
            ("--all-images", "--kind", "image"),
            ("--all-images", "--kind", "image", "--kind", "container", "--keep-image", "random-1"),
            ("--kind", "build-cache"),
            ("--all-images", "--kind", "image", "--kind", "build-cache"),
            (),
        ]
    ),
)


def drop(litter: Litter, chosen: RandomLitter) -> None:
    """Litter an engine so."""
    specs = [
        ImageSpec(
            tuple(f"random-{number}:{tag}" for tag in range(image.names)),
            {name: SIZES[name] for name in image.layers},
            # Two images of the same layers are two all the same.
            labels={"number": str(number)},
            runnable=True,
        )
        for number, image in enumerate(chosen.images)
    ]
    ids = litter.images(specs)
    for image, made in zip(chosen.images, ids, strict=True):
        if image.use != "unused":
            state: Literal["exited", "running"] = "exited" if image.use == "stopped" else "running"
            litter.container(image=made, state=state, writes=image.writes)
    for number, (named, size) in enumerate(chosen.volumes):
        litter.volume(f"random-{number}" if named else None, size=size)
    if litter.engine.kind.has_build_cache:
        for number, (base, payload, loads) in enumerate(chosen.builds):
            build(litter, specs[base % len(specs)], payload, f"built-{number}:1" if loads else None)


def build(litter: Litter, base: ImageSpec, payload: str, image: str | None) -> None:
    """Build upon one of the images, or upon `BASE` where that one has no name."""
    text = f"FROM {base.tags[0] if base.tags else BASE}\nCOPY payload /payload\nRUN touch /done\n"
    litter.build(text, {"payload": random_bytes(payload, 500_000)}, image=image)


def fate_of_the_cache(chosen: RandomLitter) -> Cache:
    kinds = [word for flag, word in zip(chosen.picks, chosen.picks[1:], strict=False) if flag == "--kind"]
    return "goes" if not kinds or "build-cache" in kinds else "stays"


def document(*words: str, host: str) -> Any:
    run = dockersweep(*words, host=host)
    assert run.status == 0, run.stderr
    return run.json()


@pytest.mark.enough_on("docker-28.5", *NEWEST)
@settings(
    max_examples=4,
    derandomize=True,
    database=None,
    # To shrink what failed takes hundreds of engines' litters; the example is small enough to be read as it is.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(chosen=litters)
def test_what_is_predicted_of_any_litter_comes_back(engine: Engine, chosen: RandomLitter) -> None:
    engine.wipe()
    drop(Litter(engine), chosen)
    trial = put_on_trial(engine, Step("random", chosen.picks, fate_of_the_cache(chosen)), document)
    found = list(faults(trial))
    assert not found, "\n".join([*found, str(trial.tells())])
