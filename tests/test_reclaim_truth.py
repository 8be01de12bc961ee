"""The predicted interval holds what the disk really gets back, on every engine."""

import subprocess
import time

import pytest

from tests.engines.engine import Engine
from tests.engines.heap import everything
from tests.engines.litter import Litter
from tests.running import dockersweep

ALL = ("--older-than", "0s")
# An engine keeps books of its own in its folder, which grow and shrink a little with every removal.
BOOKS = 400_000


def used_bytes(engine: Engine) -> int:
    """What the engine's folder takes, in file lengths, as the engine counts."""
    done = subprocess.run(
        ["du", "-s", "--apparent-size", "--block-size=1", str(engine.data_root)],
        capture_output=True,
        text=True,
        check=False,
    )
    return int(done.stdout.split()[0])


def settled(engine: Engine) -> int:
    """The same once it no longer changes: the containerd store collects its garbage a moment later."""
    last, deadline = used_bytes(engine), time.monotonic() + 15
    if engine.kind.image_store != "containerd":
        return last
    while time.monotonic() < deadline:
        time.sleep(0.7)
        now = used_bytes(engine)
        if now == last:
            return now
        last = now
    return last


SCENARIOS = {
    "the default policy": (),
    "images alone": ("--all-images", "--kind", "image"),
    "build cache alone": ("--kind", "build-cache"),
    "all that can go": ("--all-images", "--named-volumes"),
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_interval_holds_what_comes_back(engine: Engine, litter: Litter, scenario: str) -> None:
    everything(litter)
    if engine.kind.has_build_cache:
        # An image on layers that the cache holds as well: neither alone gives them back.
        litter.build_cache("shared", records=3, size=3_000_000, image="built:1")
    chatty = litter.container("chatty", state="running", image="shop/web:2")
    litter.engine.docker("exec", chatty, "sh", "-c", "head -c 2000000 /dev/zero | tr '\\0' x > /proc/1/fd/1")
    litter.stop(chatty)
    before = settled(engine)
    flags = (*SCENARIOS[scenario], *ALL)
    plan = dockersweep("plan", "--format", "json", *flags, host=engine.url).json()["reclaim"]
    run = dockersweep("sweep", "--yes", "--format", "json", *flags, host=engine.url)
    assert run.status == 0, run.stderr
    freed = before - settled(engine)
    assert plan["high_bytes"] is not None
    assert plan["low_bytes"] - BOOKS <= freed <= plan["high_bytes"] + BOOKS, (plan, freed)
