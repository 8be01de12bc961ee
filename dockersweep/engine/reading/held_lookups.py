"""Looks at containers while they are there. Podman's events do not name what a container holds, and a moment later it
may be gone."""

import queue
import threading
from collections import OrderedDict
from typing import Literal, Protocol

from dockersweep.errors import EngineError
from dockersweep.model.event_reading import Held
from dockersweep.model.inventory import Container

MOST_WAITING = 2_000
MOST_KNOWN = 2_000
"""Containers that run longer than 2,000 others are looked at once more."""
GIVE_UP_SECONDS = 5.0

Answer = Held | Literal["gone", "waiting"]


class LooksAtContainers(Protocol):
    """The part of an engine's client that is used."""

    def container(self, container_id: str) -> Container | None: ...


class HeldLookups:
    """What containers hold, or held, each looked at once. Safe for several threads."""

    def __init__(self, client: LooksAtContainers) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Answer] = OrderedDict()
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._ends = threading.Event()
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._thread = threading.Thread(target=self._look, name="lookups", daemon=True)
        self._thread.start()

    def ask(self, container_id: str) -> None:
        """Have a container looked at, unless it was. Never waits."""
        with self._lock:
            if container_id in self._known:
                self._known.move_to_end(container_id)
                return
            is_full = self._waiting.qsize() >= MOST_WAITING
            self._keep(container_id, "gone" if is_full else "waiting")
            if not is_full:
                self._is_idle.clear()
                self._waiting.put(container_id)

    def answer(self, container_id: str) -> Answer:
        """Return what a container holds; "gone" where nobody can tell any more."""
        with self._lock:
            return self._known.get(container_id, "gone")

    def wait(self, seconds: float) -> None:
        """Wait until all were looked at, but no longer."""
        self._is_idle.wait(seconds)

    def close(self) -> None:
        """End the thread; what waits is not looked at."""
        self._ends.set()
        # Wakes the thread where nothing waits.
        self._waiting.put(None)
        self._thread.join(GIVE_UP_SECONDS)

    def _look(self) -> None:
        while (container_id := self._waiting.get()) is not None and not self._ends.is_set():
            try:
                found = self._client.container(container_id)
            except EngineError:
                found = None
            with self._lock:
                self._keep(container_id, "gone" if found is None else _held_by(found))
                if self._waiting.empty():
                    self._is_idle.set()

    def _keep(self, container_id: str, answer: Answer) -> None:
        self._known[container_id] = answer
        self._known.move_to_end(container_id)
        while len(self._known) > MOST_KNOWN + MOST_WAITING:
            self._known.popitem(last=False)


def _held_by(container: Container) -> Held:
    volumes = tuple(mount.volume for mount in container.mounts if mount.volume is not None)
    return Held(volumes, tuple(container.networks))
