"""Asks an engine for many things of a kind, several at once: it answers one while we decode the other."""

import threading
from collections.abc import Callable, Collection
from typing import TypeVar

INSPECTORS = 3
"""With more threads the interpreter's lock takes back what they win."""

Asked = TypeVar("Asked")
Told = TypeVar("Told")
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
