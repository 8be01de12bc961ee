"""The engines that the tests run against, and what each of them can do."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import Literal

from tests.rig.engines.roots import (
    BOOKWORM_DOCKER,
    EXPERIMENTAL_PODMAN,
    FORKY_DOCKER,
    FORKY_PODMAN,
    TRIXIE_DOCKER,
    Root,
)

Flavour = Literal["docker", "podman"]
ImageStore = Literal["overlay2", "containerd", "btrfs"]


class CannotDo(Exception):  # noqa: N818
    """What was asked for is not possible with this kind of engine; the message says why."""


@dataclass(frozen=True)
class EngineKind:
    """One release of one engine, with one image store."""

    name: str
    root: Root
    version: str
    api_version: str
    flavour: Flavour = "docker"
    image_store: ImageStore = "overlay2"
    has_build_cache: bool = True
    """`docker buildx build` works and leaves build-cache records."""
    has_legacy_builder: bool = True
    """`DOCKER_BUILDKIT=0 docker build` works and leaves intermediate images."""
    has_intermediate_images: bool = True
    """Images name their parents, and `/images/json?all=1` lists untagged ones below tagged ones."""
    has_restarting: bool = True
    """A container can be seen in the state `restarting`."""
    has_dead: bool = True
    """A container whose removal failed stays in the list."""
    marks_anonymous_volumes: bool = True
    """Anonymous volumes carry the label `com.docker.volume.anonymous`."""
    protects_networks: bool = True
    """The network of a running container cannot be removed."""

    @property
    def suite(self) -> str:
        """The Debian release that the engine comes from."""
        return self.root.suite

    def __str__(self) -> str:
        return self.name


def _podman(name: str, root: Root, version: str) -> EngineKind:
    return EngineKind(
        name,
        root,
        version,
        "1.44",
        flavour="podman",
        has_build_cache=False,
        has_legacy_builder=False,
        has_intermediate_images=False,
        has_restarting=False,
        has_dead=False,
        marks_anonymous_volumes=False,
        protects_networks=False,
    )


KINDS = (
    EngineKind("docker-20.10", BOOKWORM_DOCKER, "20.10", "1.41", marks_anonymous_volumes=False),
    EngineKind("docker-26.1", TRIXIE_DOCKER, "26.1", "1.45"),
    EngineKind("docker-28.5", FORKY_DOCKER, "28.5", "1.51"),
    EngineKind("docker-28.5-containerd", FORKY_DOCKER, "28.5", "1.51", image_store="containerd"),
    _podman("podman-5.8", FORKY_PODMAN, "5.8"),
    _podman("podman-6.1", EXPERIMENTAL_PODMAN, "6.1"),
)
"""Every kind of engine, the oldest Docker first."""

BTRFS = replace(KINDS[2], name="docker-28.5-btrfs", image_store="btrfs")
"""Docker with a subvolume for each layer, as on NAS boxes: its folder has to lie on a disk of that file system."""

NEWEST = ("docker-28.5-containerd", "podman-6.1")
"""The newest of each flavour: enough for what tries our side, or the tests' own."""

OLDEST_AND_NEWEST = ("docker-20.10", *NEWEST)
"""The engines that differ most: enough for what tries our side more than theirs, and takes long."""

EACH_STORE = ("docker-28.5", *NEWEST)
"""The newest of each way to keep images: enough for what tells where something lies, and how much."""

DEFAULT_KIND = "docker-28.5"
"""The kind to take where one will do."""


def kind(name: str) -> EngineKind:
    """The kind of that name."""
    for one in KINDS:
        if one.name == name:
            return one
    raise LookupError(f"no engine {name!r}; there are {', '.join(k.name for k in KINDS)}")


def is_its_share(engine: EngineKind, number: int) -> bool:
    """Whether an engine meets the case of that number in every run: the newest meet all, and each other a third."""
    return engine.name in NEWEST or number % 3 == KINDS.index(engine) % 3


def parser_with_engine(program: str, description: str) -> argparse.ArgumentParser:
    """Return a parser with the option that names the kind of engine, as `engine`."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    names = [one.name for one in KINDS]
    parser.add_argument("--engine", default=DEFAULT_KIND, choices=names, help="default: %(default)s")
    return parser
