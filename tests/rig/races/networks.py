"""What can happen to a network that is to go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.rig.engines.engine import Engine
from tests.rig.engines.litter import Litter
from tests.rig.races.race import Race, Scene


def _network(engine: Engine, litter: Litter, change: Callable[[], object], whole: Callable[[], None]) -> Scene:
    made = litter.network("net")
    litter.base()

    def there() -> bool:
        return made in {one["Id"] for one in engine.wire.call("GET", "/networks")}

    return Scene(made, change, there, whole, named="net")


def _endpoint(engine: Engine, litter: Litter) -> Scene:
    def whole() -> None:
        assert engine.wire.call("GET", "/networks/net")

    return _network(
        engine, litter, lambda: litter.container("late", state="running", networks=["net"], restart="always"), whole
    )


def _named_by_stopped(engine: Engine, litter: Litter) -> Scene:
    def whole() -> None:
        litter.start("late")

    return _network(engine, litter, lambda: litter.container("late", state="created", networks=["net"]), whole)


def _network_anew(engine: Engine, litter: Litter) -> Scene:
    def change() -> None:
        engine.api.remove_network("net")
        litter.network("net")

    def whole() -> None:
        assert engine.wire.call("GET", "/networks/net")

    return _network(engine, litter, change, whole)


def _network_anew_with_a_container(engine: Engine, litter: Litter) -> Scene:
    def change() -> None:
        engine.api.remove_network("net")
        litter.network("net")
        litter.container("late", state="created", networks=["net"])

    scene = _network(engine, litter, change, lambda: litter.start("late"))
    return replace(scene, there=None)


NETWORK_RACES = (
    Race("network", "gets an endpoint", _endpoint),
    Race(
        "network", "is named by a stopped container", _named_by_stopped,
        window={"podman": "skipped", "else": "removed"}, open="the network that a stopped container needs to start",
    ),
    Race(
        "network", "is made anew", _network_anew, before="gone",
        window={"podman": "removed", "else": "gone"}, open="the new network, as long as no container names it",
    ),
    Race(
        "network", "is made anew and gets a container", _network_anew_with_a_container,
        before="gone", window={"podman": "skipped", "else": "gone"},
    ),
)  # fmt: skip
