"""Registries asked whether they still have images, on real engines with Debian's docker-registry beside them.

dockersweep runs in the network of the engine and under its host name, as it does on the machine of an engine.
"""

import json
import os
import sqlite3
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dockersweep.ledger import FILE_NAME
from tests.rig.engines.archive import random_bytes, tar
from tests.rig.engines.docker_registry import PASSWORD, USER, DockerRegistry, docker_registry
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.engines.scenarios_layers import platforms_archive
from tests.rig.running import Run

CHECKOUT = Path(__file__).parents[2]
RULE = """\
[[rule]]
name = "in a registry"
kind = "image"
match.recoverable = {wanted}
remove.older_than = "0s"
"""
ASK = "[registries]\nask = true\n"


@dataclass
class Place:
    """An engine with two registries, and a folder for policies."""

    engine: Engine
    litter: Litter
    open: DockerRegistry
    locked: DockerRegistry
    folder: Path

    def run(self, *arguments: str, **environment: str) -> Run:
        """Run dockersweep on the machine of the engine, as somebody who is logged in nowhere."""
        apart = [f"--{name}=/proc/{self.engine.pid}/ns/{name}" for name in ("net", "uts")]
        command = ["nsenter", *apart, sys.executable, "-m", "dockersweep", "-H", self.engine.url, *arguments]
        done = subprocess.run(
            command, cwd=CHECKOUT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Run(done.returncode, done.stdout, done.stderr)

    def policy(self, wanted: bool, rest: str = ASK) -> str:
        """The path of a policy whose only rule is for images that can be pulled again, or for the others."""
        path = self.folder / "policy.toml"
        path.write_text(f"version = 1\n{rest}{RULE.format(wanted=str(wanted).lower())}")
        return str(path)

    def plan(self, wanted: bool, *flags: str, rest: str = ASK, **environment: str) -> Any:
        return self.run("plan", "--policy", self.policy(wanted, rest), "--format", "json", *flags, **environment).json()

    def going(self, wanted: bool, *flags: str, rest: str = ASK, **environment: str) -> set[str]:
        """What we call the images that go."""
        plan = self.plan(wanted, *flags, rest=rest, **environment)
        return {known_as(one["name"]) for one in plan["decisions"] if one["verdict"] == "remove"}

    def login(self) -> str:
        """The folder of a docker configuration of somebody who is logged in."""
        folder = self.folder / "docker"
        folder.mkdir(exist_ok=True)
        word = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (folder / "config.json").write_text(json.dumps({"auths": {self.locked.address: {"auth": word}}}))
        return str(folder)


def known_as(name: str) -> str:
    return name.partition("@")[0].rpartition("/")[2].partition(":")[0]


@pytest.fixture
def place(engine: Engine, litter: Litter, tmp_path: Path) -> Iterator[Place]:
    with docker_registry(engine, 5000) as free, docker_registry(engine, 5001, PASSWORD) as locked:
        yield Place(engine, litter, free, locked, tmp_path)


def fill(place: Place) -> None:
    """Make images that were pushed, pushed and deleted there, pushed to where a login is needed, and never pushed."""
    for registry, name in (
        (place.open, "pushed"),
        (place.open, "deleted"),
        (place.open, "never"),
        (place.locked, "secret"),
    ):
        place.litter.image(f"{registry.address}/team/{name}:1", layers={name: 1000})
        if name != "never":
            registry.push(f"{registry.address}/team/{name}:1")
    place.litter.image("local:1", layers={"local": 1000})
    place.open.delete(f"{place.open.address}/team/deleted:1")


def stored(engine: Engine) -> tuple[set[str], set[str]]:
    """What the engine's own records say is in a registry, and what is not."""
    if engine.kind.flavour == "podman":
        return set(), {"local"}
    return {"pushed", "deleted", "secret"}, {"never", "local"}


@pytest.mark.enough_on(*NEWEST)
def test_what_a_registry_answers_decides(place: Place) -> None:
    """All of it with the same images: to make and push them takes longer than to ask."""
    fill(place)
    nobody_is_logged_in(place)
    login = place.login()
    the_registry_knows_better_than_the_engine(place, login)
    forget(Path(os.environ["DOCKERSWEEP_STATE_DIR"], FILE_NAME))
    a_space_target_spares_what_only_is_here(place, login)
    forget(Path(os.environ["DOCKERSWEEP_STATE_DIR"], FILE_NAME))
    what_went_can_be_pulled_again(place, login)


def the_registry_knows_better_than_the_engine(place: Place, login: str) -> None:
    assert (place.going(True, rest=""), place.going(False, rest="")) == stored(place.engine)
    assert place.going(True, DOCKER_CONFIG=login) == {"pushed", "secret"}
    assert place.going(False, DOCKER_CONFIG=login) == {"deleted", "never", "local"}
    told = place.run("explain", "--policy", place.policy(True), f"{place.open.address}/team/pushed:1").stdout
    assert f"registry  has {place.open.address}/team/pushed" in told


def nobody_is_logged_in(place: Place) -> None:
    """What is not known is as the engine says."""
    plan = place.plan(True, "--no-ledger")
    [warning] = [one for one in plan["warnings"] if one["about"] == "registries"]
    assert f"{place.locked.address}: it wants a login: run docker login" in warning["text"]
    going = {known_as(one["name"]) for one in plan["decisions"] if one["verdict"] == "remove"}
    assert going == {"pushed"} | (stored(place.engine)[0] & {"secret"})


def what_went_can_be_pulled_again(place: Place, login: str) -> None:
    policy = place.policy(True)
    swept = place.run("sweep", "--yes", "--yes-first-time", "--policy", policy, DOCKER_CONFIG=login)
    assert swept.status == 0, swept.stderr
    left = {known_as(name) for one in place.engine.wire.images() for name in one["RepoTags"]}
    assert left & {"pushed", "secret", "deleted", "never"} == {"deleted", "never"}
    for registry, name in ((place.open, "pushed"), (place.locked, "secret")):
        registry.pull(f"{registry.address}/team/{name}:1")


def a_space_target_spares_what_only_is_here(place: Place, login: str) -> None:
    target = f'{ASK}[target]\nfree = "1GB"\nolder_than = "0s"\norder = ["image"]\nspare_registry_less = "never"\n'
    path = place.folder / "target.toml"
    path.write_text(f"version = 1\n{target}")
    plan = place.run("plan", "--policy", str(path), "--format", "json", DOCKER_CONFIG=login).json()
    going = {known_as(one["name"]) for one in plan["decisions"] if one["verdict"] == "remove"}
    assert going == {"pushed", "secret"}


@pytest.mark.enough_on(*NEWEST)
def test_an_answer_is_kept_and_not_asked_for_again(place: Place, engine: Engine, litter: Litter) -> None:
    with docker_registry(engine, 5002) as third:
        for name in ("kept", "other"):
            litter.image(f"{third.address}/team/{name}:1", layers={name: 1000})
        third.push(f"{third.address}/team/kept:1")
        assert place.going(True) == {"kept"}
    # It is gone now, and only what was asked before is known.
    assert place.going(True) == {"kept"}
    litter.image(f"{third.address}/team/new:1", layers={"new": 1000})
    warnings = place.plan(True)["warnings"]
    refused = [one["text"] for one in warnings if one["about"] == "registries"]
    assert all("1 of 3 images" in text and "Connection refused" in text for text in refused)
    assert bool(refused) == bool(engine.kind.flavour == "podman" or engine.kind.image_store == "containerd")


@pytest.mark.on_engines("docker-20.10", "docker-26.1", "docker-28.5", "docker-28.5-containerd")
@pytest.mark.enough_on("docker-20.10", "docker-28.5-containerd")
def test_an_image_whose_tag_moved_on_is_known_by_its_digest(place: Place, engine: Engine) -> None:
    """Podman has no name for it any more, and nothing by which a registry could be asked."""
    name = f"{place.open.address}/team/moved:1"
    place.litter.image(name, layers={"first": 1000})
    place.open.push(name)
    first = place.open.digest(name)
    # The containerd store forgets the name, which only the ledger then has.
    place.run("scan")
    place.litter.image(name, layers={"second": 1000})
    path = place.folder / "dangling.toml"
    rule = '[[rule]]\nname = "dangling"\nkind = "image"\nmatch.tagged = false\nremove.older_than = "0s"\n'
    path.write_text(f"version = 1\n{ASK}{rule}")

    def reasons() -> dict[str, str]:
        plan = place.run("plan", "--policy", str(path), "--format", "json").json()
        [gone] = [one for one in plan["decisions"] if one["verdict"] == "remove"]
        return {one["code"]: one["text"] for one in gone["reasons"]}

    reference = f"{name.removesuffix(':1')}@{first}"
    assert reasons()["recoverable"].startswith(f"can be pulled again as {reference} (the registry had it at ")
    place.open.delete_manifest("team/moved", first)
    # What was answered holds for a day.
    assert "recoverable" in reasons()
    forget(Path(os.environ["DOCKERSWEEP_STATE_DIR"], FILE_NAME))
    assert "recoverable" not in reasons()


def forget(ledger: Path) -> None:
    """Have the ledger forget what registries answered."""
    with closing(sqlite3.connect(ledger)) as database:
        database.execute("DELETE FROM registry_answers")
        database.commit()


@pytest.mark.on_engines("docker-28.5-containerd")
def test_an_index_without_the_manifest_that_lies_here_is_not_enough(place: Place, engine: Engine) -> None:
    names = [f"{place.open.address}/team/{name}:1" for name in ("whole", "broken")]
    for name in names:
        layers = {one: [tar({name: random_bytes(one, 1000)})] for one in ("amd64", "arm64")}
        engine.wire.raw("POST", "/images/load", platforms_archive("platforms:1", layers))
        place.litter.retag("platforms:1", name)
        place.open.push(name)
        for left in (name, "platforms:1"):
            engine.wire.raw("DELETE", f"/images/{left}")
        # Of the two platforms that are there it takes its own.
        place.open.pull(name)
    assert place.going(True, "--no-ledger") == {"whole", "broken"}
    place.open.delete_manifest("team/broken", manifest_here(place, "broken"))
    assert place.going(True, "--no-ledger") == {"whole"}
    assert place.going(False, "--no-ledger") == {"broken"}


def manifest_here(place: Place, name: str) -> str:
    images = place.run("scan", "--format", "json").json()["images"]
    [manifest] = [one["manifest"] for one in images if known_as(one["tags"][0]) == name]
    assert manifest is not None
    return str(manifest)
