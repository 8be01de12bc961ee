"""What can happen to an object between the plan and its removal: each race is a scene, a change, and what must follow.

There are three moments at which the change is made, each by a barrier and not by luck: between `plan -o` and `apply`;
during a sweep, just before the object is looked at again; and in the narrow window between that look and the removal.
In the window only the engine itself can protect an object. Where it does not, the race says so (`window` names a
removal, `open` what is lost), and its test is the documentation of that.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tests.engines.builds import Builds
from tests.engines.engine import Engine
from tests.engines.kinds import KINDS, CannotDo, EngineKind
from tests.engines.litter import BASE, Litter
from tests.engines.swarm import create_service, start_swarm

Kind = Literal["container", "image", "volume", "network", "build-cache"]
Moment = Literal["saved", "look", "window"]
MOMENTS: tuple[Moment, ...] = ("saved", "look", "window")
_ENDLESS = "exec sleep 1000000"
# For so long a held build would sleep; each test process has a number of its own, to know its own sleepers by.
_HELD_SECONDS = str(10_000_000 + os.getpid())
_PATIENCE = 60.0


@dataclass(frozen=True)
class Scene:
    """One object that a plan removes, and what then happens to it."""

    id: str
    change: Callable[[], object]
    there: Callable[[], bool] | None
    """Whether the object is still there; None where `whole` says all that is to be said."""
    whole: Callable[[], None] = lambda: None
    """Asserts that nothing is lost which something uses."""
    flags: tuple[str, ...] = ()
    untags: str | None = None
    """The tag whose row is meant; None where the object itself goes."""
    named: str | None = None
    """The name by which an engine may be asked for it; None where it never is."""


@dataclass(frozen=True)
class Race:
    """One thing that can happen, and what must become of the removal."""

    kind: Kind
    what: str
    scene: Callable[[Engine, Litter], Scene]
    before: str | Mapping[str, str] = "skipped"
    """The status where it happens before the look: for all engines, or by `family`, with `else` for the others."""
    saved: str | Mapping[str, str] | None = None
    """The same where it happens before `apply`, which judges anew, if that makes a difference."""
    window: str | Mapping[str, str] = "skipped"
    """The same in the window."""
    open: str | None = None
    """What is lost where the window is open; None where nothing is that anybody misses."""

    def __str__(self) -> str:
        return f"{self.kind} {self.what}"

    def expected(self, moment: Moment, kind: EngineKind) -> str:
        """The status that the removal must have."""
        told = self.window if moment == "window" else self.before
        if moment == "saved" and self.saved:
            told = self.saved
        return told if isinstance(told, str) else told.get(family(kind), told.get("else", "skipped"))


def family(kind: EngineKind) -> str:
    """What an engine's guarantees depend on: the store of Docker's images, or Podman."""
    return "podman" if kind.flavour == "podman" else kind.image_store


# Containers.


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


# Volumes.


def _volume(engine: Engine, change: Callable[[], object], whole: Callable[[], None] = lambda: None) -> Scene:
    def there() -> bool:
        return "data" in {one["Name"] for one in engine.wire.call("GET", "/volumes")["Volumes"] or ()}

    return Scene("data", change, there, whole, ("--named-volumes",))


def _make_anew(engine: Engine, litter: Litter) -> None:
    engine.api.remove_volume("data")
    # Docker tells the second in which a volume was made, and no more.
    time.sleep(1.0 - time.time() % 1.0)
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


# Images.

_KEPT = ("--all-images", "--keep-label", "stay")


def _image(
    engine: Engine,
    made: str,
    change: Callable[[], object],
    whole: Callable[[], None] = lambda: None,
    untags: str | None = None,
) -> Scene:
    def there() -> bool:
        return made in {one["Id"] for one in engine.wire.images(intermediates=True)}

    return Scene(made, change, None if untags else there, whole, _KEPT, untags)


def _tags(engine: Engine, image: str) -> set[str]:
    return {tag.removeprefix("localhost/") for tag in engine.wire.call("GET", f"/images/{image}/json")["RepoTags"]}


def _tag_moves(engine: Engine, litter: Litter) -> Scene:
    made = litter.image("app:1", layers={"a": 1000})
    other = litter.image("other:1", layers={"b": 1000}, labels={"stay": ""})

    def whole() -> None:
        assert _tags(engine, other) == {"app:1", "other:1"}

    return _image(engine, made, lambda: litter.retag(other, "app:1"), whole)


def _spare_tag(engine: Engine, litter: Litter, other: str, whole: Callable[[], None]) -> Scene:
    made = litter.image("app:1", layers={"a": 1000}, tags=["app:2"])
    spare = next(tag for tag in litter.image_tags(made) if tag.endswith("app:2"))
    return _image(engine, made, lambda: litter.retag(other, "app:2"), whole, spare)


def _spare_tag_moves(engine: Engine, litter: Litter) -> Scene:
    other = litter.image("other:1", layers={"b": 1000}, labels={"stay": ""})

    def whole() -> None:
        assert _tags(engine, other) == {"app:2", "other:1"}

    return _spare_tag(engine, litter, other, whole)


def _spare_tag_moves_to_a_nameless_image(engine: Engine, litter: Litter) -> Scene:
    other = litter.image(None, layers={"b": 1000}, labels={"stay": ""})

    def whole() -> None:
        assert _tags(engine, other) == {"app:2"}

    return _spare_tag(engine, litter, other, whole)


def _spare_tag_moves_to_a_used_image(engine: Engine, litter: Litter) -> Scene:
    other = litter.image(None, layers={"b": 1000}, labels={"stay": ""}, runnable=True)
    litter.container("user", image=other, state="running")

    def whole() -> None:
        assert _tags(engine, other) == {"app:2"}

    return _spare_tag(engine, litter, other, whole)


def _spare_tag_of_used(engine: Engine, litter: Litter) -> Scene:
    made = litter.image("app:1", layers={"a": 1000}, tags=["app:2"], runnable=True)
    spare = next(tag for tag in litter.image_tags(made) if tag.endswith("app:2"))

    def whole() -> None:
        assert _tags(engine, made) == {"app:1", "app:2"}

    return _image(engine, made, lambda: litter.container("late", image=made, state="created"), whole, spare)


def _second_tag(engine: Engine, litter: Litter) -> Scene:
    made = litter.image("app:1", layers={"a": 1000})
    return _image(engine, made, lambda: litter.retag(made, "precious:1"))


def _first_tag(engine: Engine, litter: Litter) -> Scene:
    made = litter.image(None, layers={"a": 1000})
    return _image(engine, made, lambda: litter.retag(made, "precious:1"))


def _gets_a_container(engine: Engine, litter: Litter) -> Scene:
    made = litter.image("app:1", layers={"a": 1000}, runnable=True)
    return _image(engine, made, lambda: litter.container("late", image=made, state="created"))


def _gets_mounted(engine: Engine, litter: Litter) -> Scene:
    # The sweep would take the base as well.
    litter.container("holder", state="created")
    made = litter.image("app:1", layers={"a": 1000})
    return _image(engine, made, lambda: litter.mounting_container("late", litter.image_tags(made)[0]))


def _named_by_service(engine: Engine, litter: Litter) -> Scene:
    start_swarm(engine)
    made = litter.image("app:1", layers={"a": 1000})
    return _image(engine, made, lambda: create_service(engine, "late", "app:1"))


def _runs(litter: Litter, image: str) -> None:
    made = litter.container(image=image, state="created", command="test -s /layer/a && test -s /bin/busybox")
    litter.start(made)
    assert litter.wait(made) == 0


def _built_child(engine: Engine, litter: Litter) -> Scene:
    if not engine.kind.has_legacy_builder:
        raise CannotDo("it has no legacy builder")
    made = litter.image("app:1", layers={"a": 1000}, runnable=True)

    def change() -> None:
        Builds(engine).legacy("app:1", "child:1", steps=1, size=1000)

    return _image(engine, made, change, lambda: _runs(litter, "child:1"))


def _loaded_child(engine: Engine, litter: Litter) -> Scene:
    made = litter.image("app:1", layers={"a": 1000}, runnable=True)

    def change() -> None:
        litter.image("child:1", layers={"a": 1000, "b": 1000}, runnable=True)

    return _image(engine, made, change, lambda: _runs(litter, "child:1"))


# Networks.


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


# Build cache.


def _records(engine: Engine, litter: Litter) -> str:
    if not engine.kind.has_build_cache:
        raise CannotDo("it has no BuildKit")
    litter.build_cache("cache", records=2, size=1000)
    told = engine.wire.call("GET", "/system/df", type="build-cache")["BuildCache"]
    # The record of the last step gets another id when it is used again. Docker 20.10 does not say which the first is,
    # but for it being the parent of the last.
    below = {one.get("Parent") for one in told if "touch" in one["Description"]} - {"", None}
    return next(str(one["ID"]) for one in told if "COPY payload" in one["Description"] or one["ID"] in below)


def _cache_hit(engine: Engine, litter: Litter) -> Scene:
    record = _records(engine, litter)
    return Scene(
        record, lambda: litter.build_cache("cache", records=2, size=1000), lambda: record in litter.cache_ids()
    )


def _cache_in_a_build(engine: Engine, litter: Litter) -> Scene:
    record = _records(engine, litter)
    build = HeldBuild(engine)
    return Scene(record, build.hold, lambda: record in litter.cache_ids(), build.finish)


class HeldBuild:
    """A build that uses the records of `build_cache("cache", records=2)` and stays under way until it is let go."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = threading.Thread(target=self._build)
        self._failure: BaseException | None = None

    def hold(self) -> None:
        """Start it and wait until it is in the middle of a step on top of the records."""
        self._thread.start()
        deadline = time.monotonic() + _PATIENCE
        while not _held_steps() and time.monotonic() < deadline:
            assert self._thread.is_alive(), self._failure
            time.sleep(0.01)

    def finish(self) -> None:
        """Let it go on; it must end well."""
        for step in _held_steps():
            os.kill(step, signal.SIGKILL)
        self._thread.join(_PATIENCE)
        assert self._failure is None, self._failure

    def _build(self) -> None:
        try:
            Builds(self._engine).cache_then(BASE, "cache", f"RUN sleep {_HELD_SECONDS} || touch /held")
        except BaseException as failure:
            self._failure = failure


def _held_steps() -> list[int]:
    """The processes of held steps of our builds."""
    wanted = b"sleep\0" + _HELD_SECONDS.encode() + b"\0"
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes() == wanted:
                found.append(int(folder.name))
        except OSError:
            continue
    return found


RACES = (
    Race("container", "is started", _started),
    Race("container", "is started and paused", _started_and_paused),
    Race("container", "runs again and exits", _ran_again, window="removed", open="what it did in that run"),
    Race("container", "is renamed", _renamed, window="removed", open="the container under its new name"),
    Race("container", "is made anew under its name", _container_anew, before="gone", window="gone"),
    Race("container", "is to restart from now on", _restarts, window="removed", open="the stopped container"),
    Race("volume", "is made anew", _volume_anew, window="removed", open="the new volume, as long as nothing mounts it"),
    Race("volume", "is made anew and mounted", _volume_anew_and_mounted),
    Race("volume", "is mounted by a new container", _volume_mounted),
    Race(
        "volume", "is named by a new service", _volume_named_by_service,
        window="removed", open="the volume of a service that runs no task here",
    ),
    Race("image", "loses its tag to another image", _tag_moves, window="removed"),
    Race(
        "image", "has a spare tag that moves to another image", _spare_tag_moves,
        window={"containerd": "gone", "else": "removed"}, open="the tag, off the other image",
    ),
    Race(
        "image", "has a spare tag that moves to an image without a name", _spare_tag_moves_to_a_nameless_image,
        window={"containerd": "gone", "else": "failed"}, open="the other image, as long as nothing uses it",
    ),
    Race(
        "image", "has a spare tag that moves to a used image", _spare_tag_moves_to_a_used_image,
        window={"containerd": "gone"},
    ),
    Race(
        "image", "has a spare tag and gets a container", _spare_tag_of_used,
        window="removed", open="the spare tag of an image in use",
    ),
    Race("image", "gets a second tag", _second_tag),
    Race(
        "image", "gets its first tag", _first_tag,
        window={"containerd": "skipped", "else": "removed"}, open="the image with its only tag",
    ),
    Race("image", "gets a container", _gets_a_container),
    Race(
        "image", "is mounted by a container", _gets_mounted,
        window="removed", open="an image that a container mounts",
    ),
    Race(
        "image", "is named by a new service", _named_by_service,
        window="removed", open="the image of a service that runs no task here",
    ),
    Race(
        "image", "gets a child by the legacy builder", _built_child,
        before={"containerd": "removed"}, saved="skipped", window={"containerd": "removed"},
    ),
    Race(
        "image", "gets a loaded child on its layers", _loaded_child,
        # Podman tells a parent by its layers.
        before="removed", saved={"podman": "skipped", "else": "removed"}, window="removed",
    ),
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
    Race("build-cache", "is used again", _cache_hit, window="removed"),
    Race("build-cache", "is used by a build under way", _cache_in_a_build),
)  # fmt: skip


def race_table(told: list[str]) -> str:
    """A Markdown table of races by engine; each of what is told is a race, a moment, an engine and a status."""
    rows: dict[str, dict[str, dict[str, str]]] = {}
    for race, moment, engine, status in (one.split("|") for one in told):
        rows.setdefault(race, {}).setdefault(engine, {})[moment] = status
    engines = [str(kind) for kind in KINDS]
    lines = [f"| {' | '.join(['race', *engines])} |", f"|{'---|' * (len(engines) + 1)}"]
    for race in [str(race) for race in RACES if str(race) in rows]:
        cells = (" / ".join(rows[race].get(engine, {}).get(m, "-") for m in MOMENTS) for engine in engines)
        lines.append(f"| {' | '.join([race, *cells])} |")
    return "\n".join(lines)
