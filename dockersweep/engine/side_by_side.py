"""Does several things at once: an engine answers one call while we decode the other, or go through its disk."""

import threading
from collections.abc import Callable, Collection
from typing import Generic, TypeVar, cast

INSPECTORS = 3
"""With more threads the interpreter's lock takes back what they win."""
GRACE_SECONDS = 5.0
"""So much longer than its time-out we wait for what looks at the clock itself: it may hang on a disk that is gone."""

Asked = TypeVar("Asked")
Told = TypeVar("Told")
Result = TypeVar("Result")
Progress = Callable[[int, int], None]
"""Told how many steps are done, of how many."""


def ask_for_all(
    wanted: Collection[Asked], ask: Callable[[Asked], Told], progress: Progress = lambda done, total: None
) -> dict[Asked, Told]:
    """Return what `ask` returns for each. Where it raises, no more is asked, and that is raised."""
    told: dict[Asked, Told] = {}
    errors: list[BaseException] = []
    # The threads share the iterator: to take the next from a collection's is one step, so none is taken twice.
    waiting = iter(tuple(wanted))
    lock = threading.Lock()

    def work() -> None:
        try:
            for one in waiting:
                if errors:
                    return
                answer = ask(one)
                with lock:
                    told[one] = answer
                    progress(len(told), len(wanted))
        except BaseException as error:
            errors.append(error)

    # They do not keep the process alive when it is interrupted.
    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(INSPECTORS, len(wanted)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return told


class Beside(Generic[Result]):
    """A call that runs in a thread of its own. The thread does not keep the process alive when it is interrupted."""

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
