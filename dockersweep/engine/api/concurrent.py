"""Calls that run at the same time: the engine answers one while another is decoded, or while its disk is walked."""

import threading
from collections.abc import Callable, Collection
from typing import Generic, TypeVar, cast

THREADS = 3
"""How many requests for single objects are under way at once. With more, the interpreter's lock takes back what
they win."""
GRACE_SECONDS = 5.0
"""How much longer than its own time-out a call is waited for: it may hang on a disk that is gone."""

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Result = TypeVar("Result")
Progress = Callable[[int, int], None]
"""Called with how many steps are done, and of how many."""


def call_for_each(
    items: Collection[Item], call: Callable[[Item], Answer], progress: Progress = lambda done, total: None
) -> dict[Item, Answer]:
    """Return what `call` returns, by item. Once it raises, it is called no more, and that error is raised."""
    answers: dict[Item, Answer] = {}
    errors: list[BaseException] = []
    # The threads share the iterator: to take the next from a collection's is one step, so none is taken twice.
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

    # They do not keep the process alive when it is interrupted.
    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(THREADS, len(items)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return answers


class BackgroundCall(Generic[Result]):
    """A call that begins at once, in a thread of its own, which does not keep an interrupted process alive."""

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

        Raises TimeoutError where it takes longer; it is left to itself then.
        """
        self._thread.join(timeout_seconds)
        if self._thread.is_alive():
            raise TimeoutError
        if self._error is not None:
            raise self._error
        return cast(Result, self._result)


def call_within(seconds: float, call: Callable[[], Result]) -> Result:
    """Return what a call returns that keeps to so many seconds by itself; raises what it raises, and TimeoutError where
    it hangs for GRACE_SECONDS more."""
    return BackgroundCall(call).result(seconds + GRACE_SECONDS)
