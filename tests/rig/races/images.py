"""What can happen to an image, or one of its tags, that is to go."""

from __future__ import annotations

from collections.abc import Callable

from tests.rig.engines.builds import Builds
from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import CannotDo
from tests.rig.engines.litter import Litter
from tests.rig.engines.swarm import create_service, start_swarm
from tests.rig.races.race import Race, Scene

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


IMAGE_RACES = (
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
)  # fmt: skip
