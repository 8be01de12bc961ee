"""Of litters that nobody thought of, a sweep with an archive and a restore of its run leave what there was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.rig.engines.archive import ImageSpec
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import OLDEST_AND_NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.running import dockersweep

LAYERS = {"a": 10_000, "b": 20_000, "c": 40_000, "z": 0}
NEW = {
    *("id", "created_at", "started_at", "finished_at", "state", "exit_code", "log_path", "log_bytes", "restart_count"),
    *("first_seen_at", "first_seen_unused_at", "scans_unused", "uses", "last_projects", "retries_left", "written_at"),
    *("free_by_engine", "unread"),
}
"""What is not as it was, or follows from when it was made."""


@dataclass(frozen=True)
class RandomContainer:
    """A container of one of the images, with some of the volumes and networks."""

    image: int
    volumes: tuple[int, ...]
    anonymous: bool
    networks: tuple[int, ...]
    writes: int
    is_started: bool
    labels: bool


@dataclass(frozen=True)
class RandomLitter:
    """Images by their layers and how many names they have; volumes by their size; networks by their labels."""

    images: tuple[tuple[tuple[str, ...], int], ...]
    volumes: tuple[int, ...]
    networks: tuple[bool, ...]
    containers: tuple[RandomContainer, ...]


containers = st.builds(
    RandomContainer,
    image=st.integers(0, 3),
    volumes=st.lists(st.integers(0, 2), max_size=2, unique=True).map(tuple),
    anonymous=st.booleans(),
    networks=st.lists(st.integers(0, 1), max_size=2, unique=True).map(tuple),
    writes=st.sampled_from([0, 0, 5_000]),
    is_started=st.booleans(),
    labels=st.booleans(),
)
litters = st.builds(
    RandomLitter,
    images=st.lists(
        st.tuples(st.lists(st.sampled_from(sorted(LAYERS)), max_size=3, unique=True).map(tuple), st.integers(0, 2)),
        min_size=1,
        max_size=4,
    ).map(tuple),
    volumes=st.lists(st.sampled_from([0, 1_000, 100_000]), max_size=3).map(tuple),
    networks=st.lists(st.booleans(), max_size=2).map(tuple),
    containers=st.lists(containers, min_size=1, max_size=4).map(tuple),
)


def drop(litter: Litter, chosen: RandomLitter) -> None:
    """Litter an engine so."""
    specs = [
        ImageSpec(
            tuple(f"random-{number}:{tag}" for tag in range(names)),
            {name: LAYERS[name] for name in layers},
            labels={"number": str(number)},
            runnable=True,
        )
        for number, (layers, names) in enumerate(chosen.images)
    ]
    ids = litter.images(specs)
    volumes = [litter.volume(f"v{number}", size=size) for number, size in enumerate(chosen.volumes)]
    for number, has_labels in enumerate(chosen.networks):
        litter.network(f"n{number}", labels={"n": str(number)} if has_labels else {})
    for number, container in enumerate(chosen.containers):
        mounted = {volumes[place % len(volumes)]: f"/v{place}" for place in container.volumes} if volumes else {}
        # What runs needs a network that the rig's engines can make.
        there = [f"n{one}" for one in container.networks if one < len(chosen.networks)]
        litter.container(
            f"c{number}",
            image=ids[container.image % len(ids)],
            state="exited" if container.is_started else "created",
            volumes=mounted,
            anonymous_volumes=["/own"] if container.anonymous else [],
            networks=[] if container.is_started else there,
            labels={"c": str(number)} if container.labels else {},
            writes=container.writes,
        )


def inventory(engine: Engine) -> dict[str, Any]:
    done = dockersweep("scan", "--format", "json", host=engine.url)
    assert done.status == 0, done
    document: dict[str, Any] = done.json()
    return document


def comparable(document: dict[str, Any], run: int | None) -> dict[str, Any]:
    """Return what has to be as it was; of a restored inventory that of the run that was taken back."""
    names = {image["id"]: image for image in document["images"]}
    networks = {network["id"]: network["name"] for network in document["networks"]}
    found: dict[str, Any] = {}
    for image in document["images"]:
        tags = [tag.removeprefix("localhost/") for tag in image["tags"]]
        if not any(tag.startswith("dockersweep-restored/") for tag in tags):
            # Podman and containerd tell of digests what they gave a name, and shares are with what is there.
            kept = {key: value for key, value in image.items() if key not in {*NEW, "shared_bytes", "digests"}}
            if document["engine"]["flavour"] == "podman":
                # It counts the documents of an image too, which are of another form where it was loaded.
                del kept["size_bytes"]
            found[image["id"]] = {**kept, "tags": sorted(image["tags"])}
    for volume in document["volumes"]:
        labels = _without_mark(volume["labels"])
        assert (len(labels) != len(volume["labels"])) == (run is not None)
        found[volume["name"]] = {**{key: value for key, value in volume.items() if key not in NEW}, "labels": labels}
    for network in document["networks"]:
        # A network that every engine has was never removed.
        kept = {key: value for key, value in network.items() if key not in NEW}
        found[network["name"]] = {**kept, "labels": _without_mark(network["labels"])}
    for container in document["containers"]:
        kept = {key: value for key, value in container.items() if key not in NEW}
        # What it had written is in its image now.
        del kept["size_bytes"], kept["image"], kept["image_id"]
        assert ("dockersweep.restored-from" in kept["labels"]) == (run is not None)
        kept["labels"] = _without_mark(kept["labels"])
        kept["mounts"] = sorted(kept["mounts"], key=str)
        kept["networks"] = sorted({networks.get(one, one) for one in container["networks"]})
        kept["layers"] = len(_without_mark(names[container["image_id"]]["labels"]))
        found[container["name"]] = kept
    return found


def _without_mark(labels: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if key != "dockersweep.restored-from"}


def _of_examples(count: int) -> settings:
    return settings(
        max_examples=count,
        derandomize=True,
        database=None,
        # To shrink what failed takes hundreds of engines' litters; the example is small enough to be read as it is.
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@pytest.mark.enough_on(*OLDEST_AND_NEWEST)
@_of_examples(4)
@given(chosen=litters)
def test_what_a_run_removed_comes_back_as_it_was(engine: Engine, chosen: RandomLitter) -> None:
    engine.wipe()
    drop(Litter(engine), chosen)
    before = inventory(engine)
    flags = ("--older-than", "0s", "--named-volumes", "--all-images", "--archive")
    swept = dockersweep("sweep", "--yes", *flags, "--format", "json", host=engine.url).json()
    assert {one["status"] for one in swept["outcomes"]} == {"removed"}
    assert not inventory(engine)["containers"]
    done = dockersweep("restore", str(swept["run"]), "--yes", "--format", "json", host=engine.url)
    assert done.status == 0, done
    restored = done.json()["restored"]
    assert {one["status"] for one in restored} == {"restored"}, done
    after = inventory(engine)
    assert comparable(after, swept["run"]) == comparable(before, None)
    again = dockersweep("restore", str(swept["run"]), "--yes", "--format", "json", host=engine.url)
    assert (again.status, {one["status"] for one in again.json()["restored"]}) == (0, {"skipped"})
    assert comparable(inventory(engine), swept["run"]) == comparable(after, swept["run"])
    engine.wipe()
