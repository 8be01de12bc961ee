"""What engines refuse to remove, by what they are asked for: the facts that `engine/removal.py` rests on.

Each row is an object in use, what it is asked for by, and the status of that DELETE on Docker's classic store, on the
containerd store, and on Podman. A new engine that differs wants a new decision.
"""

from collections.abc import Callable

from tests.rig.engines.engine import Engine
from tests.rig.engines.kinds import CannotDo
from tests.rig.engines.litter import Litter
from tests.rig.engines.wire import RefusalError
from tests.rig.races.race import family

FAMILIES = ("overlay2", "containerd", "podman")
Names = dict[str, str]
"""By what an object can be asked for: how that is called, and the path."""


def _network(engine: Engine, litter: Litter, name: str) -> Names:
    made = litter.network(name)
    return {"id": f"/networks/{made}", "name": f"/networks/{name}"}


def _running_on_a_network(engine: Engine, litter: Litter, name: str) -> Names:
    paths = _network(engine, litter, name)
    litter.container(f"{name}-user", state="running", networks=[name])
    return paths


def _created_on_a_network(engine: Engine, litter: Litter, name: str) -> Names:
    paths = _network(engine, litter, name)
    litter.container(f"{name}-user", state="created", networks=[name])
    return paths


def _image(engine: Engine, litter: Litter, name: str) -> Names:
    made = litter.image(f"{name}:1", layers={name: 1000}, runnable=True)
    (tag,) = litter.image_tags(made)
    return {"id": f"/images/{made}", "tag": f"/images/{tag}", "tag@id": f"/images/{tag}@{made}"}


def _image_of_a_container(engine: Engine, litter: Litter, name: str) -> Names:
    paths = _image(engine, litter, name)
    litter.container(f"{name}-user", image=paths["id"].removeprefix("/images/"), state="created")
    return paths


def _mounted_image(engine: Engine, litter: Litter, name: str) -> Names:
    paths = _image(engine, litter, name)
    litter.mounting_container(f"{name}-user", paths["tag"].removeprefix("/images/"))
    return paths


def _image_with_its_first_tag(engine: Engine, litter: Litter, name: str) -> Names:
    made = litter.image(None, layers={name: 1000})
    litter.retag(made, f"{name}:1")
    return {"id": f"/images/{made}", "moby-dangling@id": f"/images/moby-dangling@{made}"}


TABLE: tuple[tuple[Callable[[Engine, Litter, str], Names], str, tuple[int, int, int]], ...] = (
    (_running_on_a_network, "id", (403, 403, 204)),
    (_running_on_a_network, "name", (403, 403, 500)),
    (_created_on_a_network, "id", (204, 204, 204)),
    (_created_on_a_network, "name", (204, 204, 500)),
    (_image_of_a_container, "id", (409, 409, 409)),
    (_image_of_a_container, "tag@id", (404, 409, 404)),
    (_mounted_image, "id", (200, 200, 200)),
    (_mounted_image, "tag", (409, 409, 200)),
    (_mounted_image, "tag@id", (404, 200, 404)),
    (_image_with_its_first_tag, "id", (200, 200, 200)),
    (_image_with_its_first_tag, "moby-dangling@id", (404, 404, 404)),
)  # fmt: skip


def test_what_an_engine_refuses(engine: Engine, litter: Litter) -> None:
    column = FAMILIES.index(family(engine.kind))
    expected, told = {}, {}
    for number, (use, name, statuses) in enumerate(TABLE):
        row = f"{use.__name__} by {name}"
        try:
            paths = use(engine, litter, f"row{number}")
        except CannotDo:
            continue
        expected[row] = statuses[column]
        try:
            if "network" in row:
                engine.wire.raw("DELETE", paths[name])
            else:
                engine.wire.raw("DELETE", paths[name], noprune="1", force="0")
            told[row] = 204 if "network" in row else 200
        except RefusalError as refusal:
            told[row] = refusal.status
    assert told == expected
