"""Waits, once for all workers, until an engine that went away during a sweep is back, and repeats the request."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from dockersweep.engine.removing.stopping import StopRequest
from dockersweep.errors import EngineError, EngineLostError, OtherEngineError

PAUSE_SECONDS = 0.2
MOST_TRIES = 3
"""How often a request is sent while the engine is there but breaks off its answer."""

Answer = TypeVar("Answer")


class Reconnect:
    """Sends requests, and repeats them after the engine was away. Safe for several threads."""

    def __init__(self, check_back: Callable[[], None], seconds: float, stop: StopRequest) -> None:
        """`check_back` raises EngineError until the engine answers again, and OtherEngineError if another one does;
        `seconds` is how long the engine may be away."""
        self._check_back = check_back
        self._seconds = seconds
        self._stop = stop
        self._lock = threading.Lock()
        self._returns = 0
        self._given_up: EngineLostError | None = None

    def ask(self, request: Callable[[], Answer]) -> Answer:
        """Return the answer to a request that changes nothing; if the engine is away, wait for it and repeat.

        Raises EngineLostError if it does not come back, and any other EngineError of the request.
        """
        error: EngineLostError | None = None
        for _ in range(MOST_TRIES):
            returns_before = self._returns
            try:
                return request()
            except EngineLostError as lost:
                error = lost
                self._wait(returns_before, lost)
        raise EngineError(f"{error} (the engine is there, but so often does not answer this)")

    def confirm_engine(self) -> None:
        """Wait until the same engine answers; raise if another one answers, or if it does not come back."""
        self.ask(self._check_back)

    def _wait(self, returns_before: int, lost: EngineLostError) -> None:
        """Return once the engine answers again; raise if it does not, or if the sweep is to stop."""
        with self._lock:
            if self._given_up is not None:
                raise self._given_up
            if self._returns != returns_before:
                # Another worker has already waited for it.
                return
            deadline = time.monotonic() + self._seconds
            while not self._is_back():
                if self._stop.is_set():
                    raise lost
                if time.monotonic() >= deadline:
                    waited = f"; it did not come back within {self._seconds:g} seconds" if self._seconds else ""
                    self._given_up = EngineLostError(f"{lost}{waited}")
                    raise self._given_up
                self._stop.wait(PAUSE_SECONDS)
            self._returns += 1

    def _is_back(self) -> bool:
        try:
            self._check_back()
        except OtherEngineError as error:
            self._given_up = error
            raise
        except EngineError:
            return False
        return True
