"""Containers of Podman are looked at while they are there, in a thread that ends with the stream."""

import threading

from dockersweep.engine.reading.held_lookups import HeldLookups
from dockersweep.model.event_reading import Held
from dockersweep.model.inventory import Container
from tests.rig.inventories import container

SECONDS = 20


class SlowEngine:
    """Answers only once it is released."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_asked, self.released = threading.Event(), threading.Event()

    def container(self, container_id: str) -> Container | None:
        self.asked.append(container_id)
        self.is_asked.set()
        assert self.released.wait(SECONDS)
        return None if container_id == "gone" else container(container_id)


def test_each_is_looked_at_once() -> None:
    engine = SlowEngine()
    engine.released.set()
    lookups = HeldLookups(engine)
    for name in ("web", "gone", "web"):
        lookups.ask(name)
    lookups.wait(SECONDS)
    assert (lookups.answer("web"), lookups.answer("gone"), lookups.answer("other")) == (Held(), "gone", "gone")
    lookups.close()
    assert engine.asked == ["web", "gone"]


def test_what_waits_at_the_end_is_not_looked_at() -> None:
    engine = SlowEngine()
    lookups = HeldLookups(engine)
    for name in ("a", "b", "c"):
        lookups.ask(name)
    assert engine.is_asked.wait(SECONDS)
    closing = threading.Thread(target=lookups.close)
    closing.start()
    assert lookups._ends.wait(SECONDS)
    engine.released.set()
    closing.join(SECONDS)
    assert not lookups._thread.is_alive()
    assert engine.asked == ["a"]
