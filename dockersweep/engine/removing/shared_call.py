"""A list that many removals are checked against, requested once for all waiting callers."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class SharedCall(Generic[Answer]):
    """A call whose answer is shared by all callers that came before it was made. Later callers need another call, as
    the answer may be older than what has happened since. Safe for several threads."""

    def __init__(self, call: Callable[[], Answer]) -> None:
        self._call = call
        self._lock = threading.Lock()
        self._next: Future[Answer] | None = None
        """The answer to the next call, which has not been made yet."""
        self._calling = threading.Lock()

    def ask(self) -> Answer:
        """Return the answer to a call that is made after this; raises what it raises.

        The first caller makes it, once the call in progress has its answer; callers until then share it.
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
