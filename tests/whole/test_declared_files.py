"""What compose files and quadlets declare stays on a real engine, and what nothing declares goes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import NEWEST
from tests.rig.engines.litter import Litter
from tests.rig.running import Run, dockersweep

EVERYTHING = """
[[rule]]
name = "everything"
kind = ["container", "image", "volume", "network"]
everything = true
remove.older_than = "0s"
"""
SHOP = """\
name: shop
services:
  db: {image: "db:1", volumes: ["data:/data"], networks: [mine], pull_policy: never}
  job: {image: "job:${TAG:-2}", profiles: [jobs], networks: [mine], volumes: ["kept:/k"], pull_policy: never}
  built: {build: ., profiles: [never]}
volumes:
  data:
  kept: {external: true, name: kept-by-hand}
networks:
  mine: {external: true, name: made-by-hand}
"""


def policy(folder: Path, protect: str, rules: str = EVERYTHING) -> str:
    """A policy file that protects what files declare."""
    path = folder / "dockersweep.toml"
    path.write_text(f"version = 1\n[protect]\n{protect}\n{rules}")
    return str(path)


def shop(folder: Path, text: str = SHOP) -> Path:
    """A project's folder, in a place that all may see."""
    own = folder / "srv" / "shop"
    own.mkdir(parents=True)
    (own / "compose.yaml").write_text(text)
    (own / "Dockerfile").write_text("FROM base:1\n")
    return own


def littered(litter: Litter, volumes: tuple[str, ...], networks: tuple[str, ...], images: tuple[str, ...]) -> None:
    for name in volumes:
        litter.volume(name)
    for name in networks:
        litter.network(name)
    for name in images:
        litter.image(name, layers={name: 1000}, runnable=True)


def left(engine: Engine) -> dict[str, set[str]]:
    """The names of what is there, but for what engines make themselves."""
    wire = engine.wire
    tags = {
        tag.removeprefix("localhost/").removeprefix("docker.io/library/")
        for one in wire.images()
        for tag in one["RepoTags"] or ()
    }
    volumes = {one["Name"] for one in wire.call("GET", "/volumes")["Volumes"] or ()}
    networks = {one["Name"] for one in wire.call("GET", "/networks")}
    return {"image": tags, "volume": volumes, "network": networks - {"bridge", "host", "none", "podman"}}


def swept(engine: Engine, policy: str) -> Run:
    return dockersweep("sweep", "--yes", "--policy", policy, "--format", "json", host=engine.url)


@pytest.mark.enough_on(*NEWEST)
def test_what_a_compose_file_declares_stays_and_its_neighbour_goes(
    engine: Engine, litter: Litter, tmp_path: Path
) -> None:
    shop(tmp_path)
    littered(
        litter,
        ("shop_data", "kept-by-hand", "shop_data2"),
        ("made-by-hand", "shop_default", "other-by-hand"),
        ("db:1", "db:2", "job:2", "base:1", "base:2"),
    )
    own = policy(tmp_path, f'compose_files = "{tmp_path}/srv/*/compose.yaml"')
    run = swept(engine, own)
    assert run.status == 0, run.stderr
    assert left(engine) == {
        "image": {"db:1", "job:2", "base:1"},
        "volume": {"shop_data", "kept-by-hand"},
        # The service that nothing but a profile starts is on it.
        "network": {"made-by-hand", "shop_default"},
    }
    told = dockersweep("explain", "volume:shop_data", "--policy", own, host=engine.url)
    assert "declared by" in told.stdout
    assert "(service db)" in told.stdout


@pytest.mark.on_engines("docker-26.1", "docker-28.5", "docker-28.5-containerd")
@pytest.mark.enough_on(*NEWEST)
def test_what_was_up_comes_up_again_after_a_sweep_while_it_was_down(
    engine: Engine, litter: Litter, tmp_path: Path
) -> None:
    folder = shop(tmp_path, SHOP.replace("  built: {build: ., profiles: [never]}\n", ""))
    littered(litter, ("kept-by-hand", "neighbour"), ("made-by-hand", "neighbour"), ("db:1", "job:2", "neighbour:1"))

    def compose(*words: str) -> str:
        return engine.docker("compose", "--file", str(folder / "compose.yaml"), *words).stdout

    compose("up", "--detach")
    [mountpoint] = [
        one["Mountpoint"] for one in engine.wire.call("GET", "/volumes")["Volumes"] if one["Name"] == "shop_data"
    ]
    Path(mountpoint, "written").write_text("data")
    compose("down")
    own = policy(tmp_path, f'compose_files = "{folder}/compose.yaml"')
    assert swept(engine, own).status == 0
    assert left(engine)["volume"] == {"shop_data", "kept-by-hand"}
    assert left(engine)["network"] == {"made-by-hand"}
    assert left(engine)["image"] == {"db:1", "job:2"}
    compose("--profile", "jobs", "up", "--detach")
    assert Path(mountpoint, "written").read_text() == "data"
    assert compose("--profile", "jobs", "ps", "--all", "--quiet").count("\n") == 2


@pytest.mark.on_engines("podman-5.8", "podman-6.1")
def test_what_quadlets_declare_stays_and_their_neighbours_go(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    units: Mapping[str, str] = {
        "data.volume": "[Volume]\n",
        "net.network": "[Network]\nNetworkName=of-units\n",
        "app.container": "[Container]\nImage=app:1\nVolume=data.volume:/d\nVolume=plain:/p\nNetwork=net.network\n",
    }
    (tmp_path / "units").mkdir()
    for name, text in units.items():
        (tmp_path / "units" / name).write_text(text)
    littered(litter, ("systemd-data", "data", "plain"), ("of-units", "net"), ("app:1", "app:2"))
    assert swept(engine, policy(tmp_path, f'quadlets = "{tmp_path}/units"')).status == 0
    assert left(engine) == {"image": {"app:1"}, "volume": {"systemd-data", "plain"}, "network": {"of-units"}}


@pytest.mark.on_engines("docker-28.5")
@pytest.mark.parametrize("verb", ["plan", "sweep", "apply", "report", "explain"])
def test_a_file_that_does_not_hold_ends_every_verb_before_anything_goes(
    engine: Engine, litter: Litter, tmp_path: Path, verb: str
) -> None:
    folder = shop(tmp_path)
    litter.volume("free")
    own = policy(tmp_path, f'compose_files = "{folder}/compose.yaml"')
    saved = tmp_path / "plan.json"
    made = dockersweep("plan", "--policy", own, "--output", str(saved), host=engine.url)
    assert made.status == 0, made.stderr
    (folder / "compose.yaml").write_text("services:\n  db: {image: '${DB:?which}'}\n")
    words = {"sweep": ["--yes"], "apply": [str(saved), "--yes"], "explain": ["volume:free"]}.get(verb, [])
    run = dockersweep(verb, *words, "--policy", own, host=engine.url)
    assert (run.status, run.stdout) == (2, "")
    assert f"{folder}/compose.yaml:2: the variable DB has no value: which" in run.stderr
    assert left(engine)["volume"] == {"free"}


@pytest.mark.on_engines("docker-28.5")
def test_apply_keeps_what_a_file_has_declared_since_the_plan(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    folder = shop(tmp_path, "services: {}\n")
    littered(litter, ("shop_data", "free"), (), ())
    own = policy(tmp_path, f'compose_files = "{folder}/compose.yaml"')
    saved = tmp_path / "plan.json"
    assert dockersweep("plan", "--policy", own, "--output", str(saved), host=engine.url).status == 0
    (folder / "compose.yaml").write_text("volumes: {data: {}}\n")
    run = dockersweep("apply", str(saved), "--yes", "--policy", own, "--format", "json", host=engine.url)
    assert run.status == 0, run.stderr
    assert left(engine)["volume"] == {"shop_data"}
    [skipped] = [one for one in run.json()["outcomes"] if one["status"] == "skipped"]
    assert "declared by" in json.dumps(skipped)


@pytest.mark.on_engines("docker-28.5")
def test_what_was_read_is_kept_until_a_file_changes(engine: Engine, litter: Litter, tmp_path: Path) -> None:
    folder = shop(tmp_path, "volumes: {data: {}}\n")
    littered(litter, ("shop_data", "shop_more"), (), ())
    own = policy(tmp_path, f'compose_files = "{folder}/compose.yaml"')
    state = str(tmp_path / "state")

    def kept() -> set[str]:
        plan = dockersweep("plan", "--policy", own, "--format", "json", host=engine.url, XDG_STATE_HOME=state).json()
        return {one["name"] for one in plan["decisions"] if one["kind"] == "volume" and one["verdict"] == "keep"}

    assert kept() == {"shop_data"}
    assert kept() == {"shop_data"}
    (folder / "compose.yaml").write_text("volumes: {data: {}, more: {}}\n")
    assert kept() == {"shop_data", "shop_more"}
