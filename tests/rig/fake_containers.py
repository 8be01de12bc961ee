"""Stopped containers in a fake engine."""

from typing import Any

from tests.rig.fake_engine import FakeEngine, reply


def stopped(name: str = "web") -> dict[str, Any]:
    return {
        "Id": name, "Names": [f"/{name}"], "Image": "app", "ImageID": "sha256:i", "Created": 1700000000,
        "State": "exited", "Mounts": [], "NetworkSettings": {"Networks": {}}, "Labels": {},
    }  # fmt: skip


def details(name: str = "web", **state: Any) -> dict[str, Any]:
    return {
        "Id": name, "Name": f"/{name}", "Created": "2026-01-01T00:00:00Z", "Image": "sha256:i",
        "State": {"Status": "exited", "ExitCode": 1, "StartedAt": "2026-01-01T00:00:00Z",
                  "FinishedAt": "2026-01-02T00:00:00Z", **state},
        "HostConfig": {"RestartPolicy": {"Name": "no"}, "LogConfig": {"Type": "none"}}, "Config": {"Labels": {}},
    }  # fmt: skip


def with_containers(engine: FakeEngine, *names: str) -> None:
    engine.replies["/containers/json"] = reply([stopped(name) for name in names])
    for name in names:
        engine.replies[f"/containers/{name}/json"] = reply(details(name))
