"""What can happen to a container that is to go."""

from __future__ import annotations

from collections.abc import Callable

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import CannotDo
from tests.rig.engines.litter import Litter
from tests.rig.races.race import Race, Scene

_ENDLESS = "exec sleep 1000000"


def _container(engine: Engine, made: str, change: Callable[[], object]) -> Scene:
    def there() -> bool:
        return made in {one["Id"] for one in engine.wire.call("GET", "/containers/json", all="1")}

    return Scene(made, change, there)


def _started(engine: Engine, litter: Litter) -> Scene:
    made = litter.container("web", state="created", command=_ENDLESS)
    return _container(engine, made, lambda: litter.start(made))


def _started_and_paused(engine: Engine, litter: Litter) -> Scene:
    made = litter.container("web", state="created", command=_ENDLESS)

    def change() -> None:
        litter.start(made)
        engine.api.pause(made)

    return _container(engine, made, change)


def _ran_again(engine: Engine, litter: Litter) -> Scene:
    made = litter.container("web", state="exited")

    def again() -> None:
        litter.start(made)
        litter.wait(made)

    return _container(engine, made, again)


def _renamed(engine: Engine, litter: Litter) -> Scene:
    made = litter.container("web", state="created")
    return _container(engine, made, lambda: engine.api.rename(made, "precious"))


def _container_anew(engine: Engine, litter: Litter) -> Scene:
    made, anew = litter.container("web", state="created"), []

    def change() -> None:
        engine.api.remove_container(made)
        anew.append(litter.container("web", state="created"))

    def whole() -> None:
        assert engine.wire.call("GET", "/containers/web/json")["Id"] == anew[0]

    scene = _container(engine, made, change)
    return Scene(made, change, scene.there, whole)


def _restarts(engine: Engine, litter: Litter) -> Scene:
    if engine.kind.flavour == "podman":
        raise CannotDo("its service does not change the restart policy of a container")
    made = litter.container("web", state="created")
    return _container(engine, made, lambda: engine.docker("update", "--restart", "always", made))


CONTAINER_RACES = (
    Race("container", "is started", _started),
    Race("container", "is started and paused", _started_and_paused),
    Race("container", "runs again and exits", _ran_again, window="removed", open="what it did in that run"),
    Race("container", "is renamed", _renamed, window="removed", open="the container under its new name"),
    Race("container", "is made anew under its name", _container_anew, before="gone", window="gone"),
    Race("container", "is to restart from now on", _restarts, window="removed", open="the stopped container"),
)  # fmt: skip
