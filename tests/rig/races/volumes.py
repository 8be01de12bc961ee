"""What can happen to a volume that is to go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.engines.swarm import create_service, start_swarm
from tests.rig.next_second import next_second
from tests.rig.races.race import Race, Scene


def _volume(engine: Engine, change: Callable[[], object], whole: Callable[[], None] = lambda: None) -> Scene:
    def there() -> bool:
        return "data" in {one["Name"] for one in engine.wire.call("GET", "/volumes")["Volumes"] or ()}

    return Scene("data", change, there, whole, ("--named-volumes",))


def _make_anew(engine: Engine, litter: Litter) -> None:
    engine.api.remove_volume("data")
    # Docker tells the second in which a volume was made, and no more.
    next_second()
    litter.volume("data", size=1000)


def _volume_anew(engine: Engine, litter: Litter) -> Scene:
    litter.volume("data")
    return _volume(engine, lambda: _make_anew(engine, litter))


def _volume_anew_and_mounted(engine: Engine, litter: Litter) -> Scene:
    litter.volume("data")
    litter.base()

    def change() -> None:
        _make_anew(engine, litter)
        litter.container("late", state="running", volumes={"data": "/data"})

    return _volume(engine, change, lambda: _has_its_data(engine))


def _volume_mounted(engine: Engine, litter: Litter) -> Scene:
    litter.volume("data", size=1000)
    litter.base()
    mounted = {"data": "/data"}
    return _volume(
        engine,
        lambda: litter.container("late", state="created", volumes=mounted),
        lambda: _has_its_data(engine),
    )


def _has_its_data(engine: Engine) -> None:
    folder = engine.wire.call("GET", "/volumes/data")["Mountpoint"]
    assert Path(folder, "litter.bin").stat().st_size == 1000


def _volume_named_by_service(engine: Engine, litter: Litter) -> Scene:
    start_swarm(engine)
    litter.volume("data", size=1000)
    return _volume(
        engine, lambda: create_service(engine, "late", "none:1", volumes=["data"]), lambda: _has_its_data(engine)
    )


VOLUME_RACES = (
    Race("volume", "is made anew", _volume_anew, window="removed", open="the new volume, as long as nothing mounts it"),
    Race("volume", "is made anew and mounted", _volume_anew_and_mounted),
    Race("volume", "is mounted by a new container", _volume_mounted),
    Race(
        "volume", "is named by a new service", _volume_named_by_service,
        window="removed", open="the volume of a service that runs no task here",
    ),
)  # fmt: skip
