"""Concurrent calls: the engine answers one while another is decoded, or while its disk is walked."""

import threading
from collections.abc import Callable, Collection
from typing import Generic, TypeVar, cast

THREADS = 3
"""How many requests for single objects run at once. More gain nothing because of the interpreter's lock."""
GRACE_SECONDS = 5.0
"""How long to wait for a call beyond its own time-out: it may hang on a disk that is gone."""

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Result = TypeVar("Result")
Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


def call_for_each(
    items: Collection[Item], call: Callable[[Item], Answer], progress: Progress = lambda done, total: None
) -> dict[Item, Answer]:
    """Return what `call` returns for each item. If it raises, no further items are started and the error is raised."""
    answers: dict[Item, Answer] = {}
    errors: list[BaseException] = []
    # The threads share the iterator: taking the next item of a tuple is atomic, so none is taken twice.
    waiting = iter(tuple(items))
    lock = threading.Lock()

    def work() -> None:
        try:
            for item in waiting:
                if errors:
                    return
                answer = call(item)
                with lock:
                    answers[item] = answer
                    progress(len(answers), len(items))
        except BaseException as error:
            errors.append(error)

    # Daemon threads do not keep an interrupted process alive.
    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(THREADS, len(items)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return answers


class BackgroundCall(Generic[Result]):
    """A call that starts at once in its own daemon thread, which does not keep an interrupted process alive."""

    def __init__(self, call: Callable[[], Result]) -> None:
        self._call = call
        self._result: Result | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._call()
        except BaseException as error:
            self._error = error

    def result(self, timeout_seconds: float | None = None) -> Result:
        """Wait for the call, then return what it returned or raise what it raised.

        Raises TimeoutError if it takes longer; the call then goes on unattended.
        """
        self._thread.join(timeout_seconds)
        if self._thread.is_alive():
            raise TimeoutError
        if self._error is not None:
            raise self._error
        return cast(Result, self._result)


def call_within(seconds: float, call: Callable[[], Result]) -> Result:
    """Return what a call returns that limits itself to `seconds`; raises what it raises, and TimeoutError if it hangs
    for GRACE_SECONDS longer."""
    return BackgroundCall(call).result(seconds + GRACE_SECONDS)
