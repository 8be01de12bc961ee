"""Images that containers mount: no engine refuses to remove them, so dockersweep must not ask for it."""

from typing import Any

import pytest

from tests.engines.engine import Engine
from tests.engines.kinds import CannotDo
from tests.engines.litter import Litter
from tests.running import dockersweep

ALL = ("--all-images", "--older-than", "0s")


def mount(engine: Engine, litter: Litter, reference: str, *, running: bool) -> None:
    """Make a container that mounts the image; only Docker from 28 on can."""
    if not engine.kind.version.startswith("28."):
        raise CannotDo("image mounts came with Docker 28, and Podman's service does not take them")
    litter.base()
    flags = ["--mount", f"type=image,source={reference},target=/data", "--network", "none"]
    command = ["run", "-d", *flags, "busybox:latest", "sleep", "1000"]
    engine.docker(*(command if running else ["create", *flags, "busybox:latest", "true"]))


def verdicts(engine: Engine) -> dict[str, Any]:
    plan = dockersweep("plan", "--format", "json", "--kind", "image", *ALL, host=engine.url).json()
    return {one["id"]: one for one in plan["decisions"] if one["kind"] == "image"}


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("short", [True, False])
def test_a_mounted_image_stays(engine: Engine, litter: Litter, running: bool, short: bool) -> None:
    made = litter.image("data:1", layers={"data": 1000})
    other = litter.image("other:1", layers={"other": 1000})
    mount(engine, litter, made.removeprefix("sha256:")[:12] if short else "data:1", running=running)
    told = verdicts(engine)
    assert (told[made]["verdict"], told[other]["verdict"]) == ("keep", "remove")
    assert "used by container" in told[made]["reasons"][0]["text"]
    run = dockersweep("sweep", "--yes", "--kind", "image", *ALL, host=engine.url)
    assert run.status == 0
    left = engine.docker("images", "-aq", "--no-trunc").stdout
    assert made in left
    assert other not in left


def test_a_mounted_image_stays_when_its_tag_has_moved(engine: Engine, litter: Litter) -> None:
    old = litter.image("moved:1", layers={"old": 1000})
    mount(engine, litter, "moved:1", running=True)
    new = litter.image("moved:1", layers={"new": 1000})
    told = verdicts(engine)
    assert {told[old]["verdict"], told[new]["verdict"]} == {"keep"}
    assert "may be what container" in told[old]["reasons"][0]["text"]


def test_logs_come_back_with_their_container(engine: Engine, litter: Litter) -> None:
    made = litter.container("chatty", state="running")
    engine.docker("exec", made, "sh", "-c", "head -c 500000 /dev/zero | tr '\\0' x > /proc/1/fd/1")
    litter.stop(made)
    flags = ("--format", "json", "--kind", "container", "--older-than", "0s")
    reclaim = dockersweep("plan", *flags, host=engine.url).json()["reclaim"]
    assert reclaim["high_bytes"] is None or reclaim["low_bytes"] >= 500_000
