"""Which images are asked for their layers, how often, and what is remembered of that."""

import threading
from collections import Counter

import msgspec
import pytest

from dockersweep.engine.api.answers import ImageLayers
from dockersweep.engine.api.concurrent import THREADS
from dockersweep.engine.reading.image_layers import memory_keys, read_layers, wanted_images
from dockersweep.errors import EngineError, EngineLostError, EngineTimeoutError
from dockersweep.model.inventory import Engine as EngineNoun
from tests.rig.inventories import ENGINE, image, record
from tests.rig.layers import layers_of, of_one_platform


def test_layers_are_asked_for_where_images_share_or_the_cache_does() -> None:
    images = [image("alone"), image("web", shared=5), image("unknown", shared=None), image("child", parent="unknown")]
    few = {"sha256:web", "sha256:unknown", "sha256:child"}
    assert wanted_images(ENGINE, images, [record("r")]) == few
    assert wanted_images(ENGINE, images, [record("r", shared=True)]) == few | {"sha256:alone"}
    assert wanted_images(ENGINE, images, None) == few | {"sha256:alone"}
    podman = msgspec.structs.replace(ENGINE, flavour="podman")
    assert wanted_images(podman, images, ()) == few | {"sha256:alone"}


class Reads:
    """Answers, and counts what it is asked."""

    def __init__(self, engine: EngineNoun = ENGINE) -> None:
        self.engine = engine
        self.asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def image_layers(self, image_id: str) -> ImageLayers | None:
        with self._lock:
            self.asked[image_id] += 1
        if image_id == "bad":
            raise EngineError("it does not tell")
        return None if image_id == "gone" else layers_of(image_id, history=[1])


def test_each_image_is_asked_once_and_what_fails_is_left_out() -> None:
    reads = Reads()
    wanted = ["known", "bad", "gone", *(f"i{number}" for number in range(20))]
    layers = read_layers(reads, wanted, {"known": layers_of("k", history=[7])}, {name: name for name in wanted})
    assert set(layers) == set(wanted) - {"bad", "gone"}
    assert layers["known"].history_bytes == (7,)
    assert set(reads.asked.values()) == {1}
    assert "known" not in reads.asked


def test_what_can_change_is_asked_again() -> None:
    known = {"i": layers_of("k", history=[7])}
    assert read_layers(Reads(), ["i"], known, {})["i"].history_bytes == (1,)
    assert read_layers(Reads(), ["i"], known, {"i": "other"})["i"].history_bytes == (1,)


def test_an_engine_that_stalls_is_not_asked_for_every_image() -> None:
    asked: list[str] = []

    class Stalls:
        engine = ENGINE

        def image_layers(self, image_id: str) -> ImageLayers | None:
            asked.append(image_id)
            raise EngineTimeoutError("late")

    assert read_layers(Stalls(), [str(number) for number in range(100)], {}, {}) == {}
    assert len(asked) <= THREADS


def test_an_engine_that_is_lost_ends_the_scan() -> None:
    class Lost:
        engine = ENGINE

        def image_layers(self, image_id: str) -> ImageLayers | None:
            raise EngineLostError("gone")

    with pytest.raises(EngineLostError, match="gone"):
        read_layers(Lost(), ["a", "b"], {}, {})


def test_layers_are_remembered_by_what_does_not_change() -> None:
    images = [image("web", size=7)]
    containerd = msgspec.structs.replace(ENGINE, image_store="containerd")
    podman = msgspec.structs.replace(ENGINE, flavour="podman")
    assert memory_keys(ENGINE, images) == {"sha256:web": "sha256:web"}
    assert memory_keys(podman, images) == {"sha256:web": "sha256:web 7"}
    assert memory_keys(containerd, map(of_one_platform, images)) == {"sha256:web": "sha256:web manifest"}
    assert memory_keys(containerd, images) == {}
