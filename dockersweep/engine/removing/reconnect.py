"""Waits for an engine that went away during a sweep to come back, once for all workers, and then asks again."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from dockersweep.engine.removing.stopping import StopRequest
from dockersweep.errors import EngineError, EngineLostError, OtherEngineError

PAUSE_SECONDS = 0.2
MOST_TRIES = 3
"""An engine that is there, and breaks off the same answer so often, is asked no more for that."""

Answer = TypeVar("Answer")


class Reconnect:
    """Asks an engine, and once more when it has been away. Safe for several threads."""

    def __init__(self, check_back: Callable[[], None], seconds: float, stop: StopRequest) -> None:
        """`check_back` raises EngineError until the engine answers again, and OtherEngineError where another does;
        `seconds` is how long it may stay away."""
        self._check_back = check_back
        self._seconds = seconds
        self._stop = stop
        self._lock = threading.Lock()
        self._returns = 0
        self._given_up: EngineLostError | None = None

    def ask(self, request: Callable[[], Answer]) -> Answer:
        """Return the answer to a request that changes nothing; where the engine is gone, wait for it and ask again.

        Raises EngineLostError where it does not come back, and any other EngineError of the request.
        """
        error: EngineLostError | None = None
        for _ in range(MOST_TRIES):
            seen_back = self._returns
            try:
                return request()
            except EngineLostError as lost:
                error = lost
                self._wait(seen_back, lost)
        raise EngineError(f"{error} (the engine is there, but so often does not answer this)")

    def confirm_engine(self) -> None:
        """Wait for the engine that was spoken to; raise where another answers, and where it does not come back."""
        self.ask(self._check_back)

    def _wait(self, seen_back: int, lost: EngineLostError) -> None:
        """Return when the engine answers again; raise where it does not, or where the sweep is to end."""
        with self._lock:
            if self._given_up is not None:
                raise self._given_up
            if self._returns != seen_back:
                # Another worker has waited for it.
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
