"""A list that many removals are held against, asked for once for all that wait for it."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class SharedCall(Generic[Answer]):
    """A call whose answer goes to all that asked before it was made, and to nobody who asked later: an answer on its
    way may not tell what has happened since. Safe for several threads."""

    def __init__(self, call: Callable[[], Answer]) -> None:
        self._call = call
        self._lock = threading.Lock()
        self._next: Future[Answer] | None = None
        """What those wait for whose call has not been made."""
        self._calling = threading.Lock()

    def ask(self) -> Answer:
        """Return the answer to a call that is made from now on; raises what it raises.

        Who asks first makes it, once the one under way has its answer; who asks meanwhile gets the same.
        """
        with self._lock:
            shared = self._next
            if shared is None:
                mine = self._next = Future()
        if shared is not None:
            return shared.result()
        with self._calling:
            with self._lock:
                self._next = None
            self._make(mine)
        return mine.result()

    def _make(self, answer: "Future[Answer]") -> None:
        try:
            answer.set_result(self._call())
        except BaseException as error:
            answer.set_exception(error)
