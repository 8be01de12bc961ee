"""Engines that cannot be had from Debian: what they answered once, served again by the fake engine.

`tests/rig/recordings/NAME.json` has the answers of one engine by path and query, those of API 1.51, the newest that
dockersweep speaks. They are as the engine gave them, but for its list of registries, which is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.rig.fake_engine import FakeEngine, Handler, Reply, fake_engine, reply

RECORDINGS = Path(__file__).with_name("recordings")
ELSEWHERE = "/nonexistent/docker"
"""Where the engine says its data are: on no machine of ours."""


def recorded_answers(name: str) -> Mapping[str, Any]:
    """What the engine answered, by path and query."""
    answers: dict[str, Any] = json.loads((RECORDINGS / f"{name}.json").read_text())
    answers["/info"]["DockerRootDir"] = ELSEWHERE
    return answers


@contextmanager
def recorded_engine(name: str) -> Iterator[FakeEngine]:
    """Serve what an engine answered, and 404 for what it was not asked."""
    answers = recorded_answers(name)
    by_path: dict[str, dict[frozenset[tuple[str, str]], Any]] = {}
    for asked, body in answers.items():
        path, _, query = asked.partition("?")
        by_path.setdefault(path, {})[frozenset(parse_qsl(query))] = body
    by_path["/volumes"][frozenset({("filters", '{"dangling":["true"]}')})] = _unused_volumes(answers)
    with fake_engine() as engine:
        for path, bodies in by_path.items():
            engine.replies[path] = partial(_reply, bodies)
        yield engine


def _reply(bodies: Mapping[frozenset[tuple[str, str]], Any], handler: Handler) -> Reply:
    query = frozenset(parse_qsl(urlsplit(handler.path).query))
    return reply(bodies[query]) if query in bodies else reply({"message": f"not recorded: {handler.path}"}, 404)


def _unused_volumes(answers: Mapping[str, Any]) -> Any:
    """The engine's list of volumes that no container mounts, which was not recorded."""
    mounted = {mount.get("Name") for one in answers["/containers/json?all=1"] for mount in one["Mounts"]}
    listed = answers["/volumes"]["Volumes"] or []
    return {"Volumes": [one for one in listed if one["Name"] not in mounted], "Warnings": None}
