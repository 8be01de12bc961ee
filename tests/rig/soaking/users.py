"""Those who litter an engine and use what lies there, at random; each thing they use is known to the truth."""

from __future__ import annotations

import http.client
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.rig.engines.archive import ImageSpec
from tests.rig.engines.engine import Engine, EngineError
from tests.rig.engines.litter import BASE, Litter
from tests.rig.engines.wire import RefusalError
from tests.rig.policies import rule_text
from tests.rig.soaking.truth import Truth

KEEP = {"keep": ""}
POLICY = (
    """
version = 1
[protect]
labels = ["keep"]
names = ["precious-*"]
images = ["*busybox*"]
"""
    + rule_text("containers", "container", 'remove.stopped_for = "1s"')
    + rule_text(
        "releases",
        "image",
        'match.repository = ["app/release", "localhost/app/release"]',
        "keep.last = 2",
        'remove.unused_for = "1s"',
    )
    + rule_text("images", "image", "everything = true", 'remove.unused_for = "2s"')
    + rule_text("volumes", "volume", "everything = true", 'remove.unused_for = "2s"')
    + rule_text("networks", "network", 'remove.older_than = "2s"')
    + rule_text("build cache", "build-cache", 'remove.unused_for = "2s"')
)
_MOST_RUNNING = 6
_MOST_PRECIOUS = 12
_ENDLESS = "exec sleep 1000000"


class Users:
    """Does one thing after the other; which, is decided by the seed and by what is there."""

    def __init__(self, engine: Engine, truth: Truth, seed: str) -> None:
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        """What could not be done, mostly as a sweep had just taken what it needs: that is nobody's loss."""
        self._engine, self._truth, self._random = engine, truth, random.Random(seed)
        self._litter = Litter(engine)
        self._number = 0
        self._releases = 0
        self._precious = 0
        self._running: list[str] = []
        works: dict[Callable[[], None], int] = {
            self._throw_away_a_container: 6,
            self._load_an_image: 4,
            self._make_a_volume: 4,
            self._make_a_network: 3,
            self._run_something: 6,
            self._run_once_more: 4,
            self._join_a_network: 2,
            self._stop_something: 4,
            self._move_a_tag: 3,
            self._tag_once_more: 2,
            self._make_something_precious: 1,
            self._release: 1,
        }
        if engine.kind.has_build_cache:
            works |= {self._build: 2, self._build_again: 2}
        self._works, self._weights = list(works), list(works.values())

    def begin(self) -> None:
        """What has to be there before the first sweep."""
        self._litter.base()
        self._truth.hold(("image", BASE), "policy", "protected by name")
        for _ in range(3):
            self._release()

    def go_on(self) -> None:
        """Do the next thing."""
        self._number += 1
        work = self._random.choices(self._works, self._weights)[0]
        name = work.__name__.strip("_").replace("_", " ")
        try:
            work()
        except (RefusalError, EngineError, IndexError, OSError, http.client.HTTPException, KeyError):
            self.refused[name] += 1
        else:
            self.done[name] += 1

    def engine_ended(self) -> None:
        """With the engine everything that ran has ended, and nobody uses any of it now."""
        for container in self._running:
            self._truth.release(container)
        self._running.clear()

    # Litter.

    def _throw_away_a_container(self) -> None:
        anonymous = ["/data"] if self._random.random() < 0.3 else []
        self._litter.container(
            f"job-{self._number}", image=self._any_image(), state="created", anonymous_volumes=anonymous
        )

    def _load_an_image(self) -> None:
        tags = self._random.choice([(), (f"app/{self._number}:1",), (f"app/{self._number}:1", f"app/{self._number}:2")])
        layers = {"shared": 20_000, f"layer-{self._number}": 20_000}
        self._litter.images([ImageSpec(tags, layers, runnable=True)])

    def _make_a_volume(self) -> None:
        self._litter.volume(self._random.choice([None, f"data-{self._number}"]), size=1000)

    def _make_a_network(self) -> None:
        self._litter.network(f"net-{self._number}")

    def _build(self) -> None:
        self._litter.build_cache(f"cache-{self._number}", records=2, size=10_000)

    def _build_again(self) -> None:
        """The same each time: what is left of it is used again."""
        self._litter.build_cache("always", records=3, size=10_000)

    # Use.

    def _run_something(self) -> None:
        """Have a new container run, of whatever image, on whatever volume and network there are."""
        if len(self._running) >= _MOST_RUNNING:
            self._stop_something()
        volume, network = self._any("volumes"), self._any("networks")
        made = self._litter.container(
            f"web-{self._number}",
            image=self._any_image(),
            state="created",
            command=_ENDLESS,
            volumes={volume: "/data"} if volume else {},
            anonymous_volumes=["/more"] if self._random.random() < 0.3 else [],
            networks=[network] if network else [],
        )
        self._start(made)

    def _run_once_more(self) -> None:
        """Start a container that has lain there; one that ends at once is not in use for long."""
        stopped = self._engine.wire.call("GET", "/containers/json", all="1")
        names = {one["Id"] for one in stopped if one["State"] in ("created", "exited")} - set(self._running)
        self._start(self._random.choice(sorted(names)))

    def _start(self, container: str) -> None:
        self._litter.start(container)
        told = self._engine.wire.call("GET", f"/containers/{container}/json")
        if not told["State"]["Running"] or _ENDLESS not in told["Config"]["Cmd"]:
            return
        self._running.append(container)
        why = f"used by the running container {told['Name'].strip('/')}"
        self._truth.hold(("container", container), container, "running")
        image = told["Image"]
        self._truth.hold(("image", image if ":" in image else f"sha256:{image}"), container, why)
        for mount in told["Mounts"]:
            if mount["Type"] == "volume":
                self._truth.hold(("volume", mount["Name"]), container, why)
        for network in (told["NetworkSettings"]["Networks"] or {}).values():
            if network.get("NetworkID") and told["HostConfig"]["NetworkMode"] != "none":
                self._hold_network(network["NetworkID"], container, why)

    def _join_a_network(self) -> None:
        container, network = self._random.choice(self._running), self._any("networks")
        if network:
            self._engine.wire.raw("POST", f"/networks/{network}/connect", {"Container": container})
            told = self._engine.wire.call("GET", f"/networks/{network}")
            self._hold_network(told["Id"], container, f"joined by the running container {container[:12]}")

    def _hold_network(self, network: str, container: str, why: str) -> None:
        # Podman tells a name here.
        told = self._engine.wire.call("GET", f"/networks/{network}")
        self._truth.hold(("network", told["Id"]), container, why)

    def _stop_something(self) -> None:
        container = self._random.choice(self._running)
        self._running.remove(container)
        self._truth.release(container)
        self._litter.stop(container)

    def _move_a_tag(self) -> None:
        """Build or pull a newer image under an old name, as it were."""
        one, other = (self._random.choice(self._own_images()) for _ in range(2))
        self._litter.retag(one["Id"], self._random.choice(other["RepoTags"]).removeprefix("localhost/"))

    def _tag_once_more(self) -> None:
        self._litter.retag(self._random.choice(self._own_images())["Id"], f"app/again-{self._number}:1")

    # What the policy keeps.

    def _make_something_precious(self) -> None:
        """By its label or by its name."""
        if self._precious >= _MOST_PRECIOUS:
            return
        self._precious += 1
        name, labels = f"precious-{self._number}", {}
        if self._random.random() < 0.5:
            name, labels = f"labelled-{self._number}", KEEP
        kind = self._random.choice(["container", "volume", "network", "image"])
        if kind == "image":
            made = self._litter.image(f"{name}:1", layers={name: 1000}, labels=KEEP)
        else:
            made = getattr(self._litter, kind)(name, labels=labels)
        self._truth.hold((kind, made), "policy", "protected")

    def _release(self) -> None:
        """The newest two stay, by a rule."""
        self._releases += 1
        number = self._releases
        self._truth.release(f"release {number - 2}")
        created = f"2024-01-{1 + number // 1440 % 28:02}T{number // 60 % 24:02}:{number % 60:02}:00Z"
        tag = f"app/release:{number}"
        self._litter.image(tag, layers={tag: 5000}, created=created)
        self._truth.hold(("image", tag), f"release {number}", "one of the last two releases")

    # What there is.

    def _any(self, collection: str) -> str | None:
        """One of the volumes or networks that anybody made; often none."""
        if self._random.random() < 0.4:
            return None
        listed = self._engine.wire.call("GET", f"/{collection}")
        found = listed["Volumes"] or [] if collection == "volumes" else listed
        names = sorted(one["Name"] for one in found if one["Name"] not in ("bridge", "host", "none", "podman"))
        return self._random.choice(names) if names else None

    def _any_image(self) -> str:
        images = [one["Id"] for one in self._own_images()] if self._random.random() < 0.6 else []
        return str(self._random.choice(images)) if images else BASE

    def _own_images(self) -> list[dict[str, Any]]:
        """What can run, has a name, and is no release."""
        listed = self._engine.wire.images()
        named = [one for one in listed if any("app/" in tag and "release" not in tag for tag in one["RepoTags"] or ())]
        return sorted(named, key=lambda one: str(one["Id"]))
