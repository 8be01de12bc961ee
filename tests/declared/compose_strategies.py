"""Compose projects by chance: each number stands for one, of several files, with all that names something."""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import yaml

SERVICES = ("a", "b", "web", "db")
VOLUMES = ("data", "logs", "v.x", "named-1")
NETWORKS = ("front", "back", "default")
IMAGES = (
    "app",
    "app:1",
    "reg.example:5000/t/app:${TAG}",
    "x:${UNSET-dflt}",
    "x:${TAG:+set}",
    "y:$$z",
    "${REPO:-r}/i:${TAG}",
)
KEPT = ("image", "build")
"""Without one of them docker compose takes no service."""
ENV = ("TAG=1.2", 'TAG="3"', "REPO=own", "TAG='lit'", "export TAG=e", "TAG=${REPO:-none}-x", "# nothing", "EMPTY=")


class Tagged:
    """A value with a tag of compose."""

    def __init__(self, tag: str, value: object) -> None:
        self.tag, self.value = tag, value


def _represent(dumper: yaml.SafeDumper, tagged: Tagged) -> yaml.Node:
    node = dumper.represent_data(tagged.value)
    node.tag = tagged.tag
    return node


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(Tagged, _represent)


def write_project(folder: Path, seed: int) -> tuple[str, ...]:
    """Write a project; return its files in order."""
    random = Random(seed)
    _write(folder / "common.yaml", _file(random, SERVICES, is_base=True, may_lead=False))
    # What two files of one project declare alike, docker compose refuses.
    inner = {"image": "i:${TAG}", "volumes": ["of-inc:/i"], "build": {"context": ".", "tags": ["i:${REPO-own}"]}}
    _write(folder / "inc" / "compose.yaml", {"services": {"inner": inner}, "volumes": {"of-inc": _resource(random)}})
    (folder / "inc" / ".env").write_text("TAG=of-inc\n")
    if random.random() < 0.5:
        (folder / ".env").write_text("\n".join(random.sample(ENV, 3)) + "\n")
    first = _file(random, _some(random), is_base=True, may_lead=True)
    if random.random() < 0.4:
        first["name"] = random.choice(("own", "own-${TAG:-t}", "x${EMPTY}"))
    if random.random() < 0.3:
        first["include"] = ["inc/compose.yaml"]
    _write(folder / "compose.yaml", first)
    if random.random() < 0.5:
        return ("compose.yaml",)
    _write(folder / "over.yaml", _file(random, _some(random), is_base=False, may_lead=False))
    return ("compose.yaml", "over.yaml")


def _write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.dump(document, Dumper=_Dumper, sort_keys=False))


def _some(random: Random) -> Sequence[str]:
    return random.sample(SERVICES, random.randint(1, 3))


def _file(random: Random, names: Sequence[str], is_base: bool, may_lead: bool) -> dict[str, Any]:
    document: dict[str, Any] = {"services": _services(random, names, may_lead, tags=not is_base)}
    # Mostly all that services may name is declared.
    document["volumes"] = {name: _resource(random) for name in VOLUMES if is_base or random.random() < 0.3}
    document["networks"] = {name: _resource(random) for name in NETWORKS[:2] if is_base or random.random() < 0.3}
    if random.random() < 0.3:
        document["networks"]["default"] = _resource(random)
    return document


def _resource(random: Random) -> object:
    return random.choice(
        (
            None,
            {},
            None,
            {"external": True},
            {"name": "n-${TAG}"},
            {"external": True, "name": "outer"},
            {"name": "a$$b"},
        )
    )


def _services(random: Random, names: Sequence[str], may_lead: bool, tags: bool = False) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name in names:
        service = made[name] = _service(random, tags)
        if may_lead and random.random() < 0.3:
            service["extends"] = {"file": "common.yaml", "service": random.choice(SERVICES)}
        elif may_lead and len(made) > 1 and random.random() < 0.2:
            service["extends"] = random.choice([one for one in made if one != name])
    return made


def _service(random: Random, tags: bool) -> dict[str, Any]:
    makers: dict[str, Callable[[], object]] = {
        "image": lambda: random.choice(IMAGES),
        "build": lambda: random.choice(
            (".", {"context": ".", "tags": ["t:${TAG}", "u:1"]}, {"dockerfile_inline": "FROM f"})
        ),
        "volumes": lambda: [_mount(random) for _ in range(random.randint(1, 3))],
        "networks": lambda: random.choice((["front"], {"back": None, "front": {"aliases": ["x"]}}, ["default"], [])),
        "profiles": lambda: ["p"],
        "environment": lambda: random.choice(({"A": "${TAG}"}, ["A=b"])),
    }
    chosen = random.sample(list(makers), random.randint(1, 4))
    service = {key: makers[key]() for key in chosen}
    if not tags and not {"image", "build"} & set(service):
        service["image"] = "plain:1"
    for key in list(service):
        if tags and random.random() < 0.25 and key not in KEPT:
            service[key] = Tagged("!reset", None) if random.random() < 0.4 else Tagged("!override", service[key])
    return service


def _mount(random: Random) -> object:
    volume = random.choice(VOLUMES)
    target = f"/{random.choice('xyz')}"
    return random.choice(
        (
            f"{volume}:{target}",
            f"{volume}:{target}:ro",
            f"./rel:{target}",
            target,
            {"type": "volume", "source": volume, "target": target},
            {"type": "image", "source": "img:${TAG}", "target": target},
            {"type": "bind", "source": "/srv", "target": target},
        )
    )
