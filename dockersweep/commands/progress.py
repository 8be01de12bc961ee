"""A progress bar on standard error: only on a terminal, and only after a second."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

    from tqdm import tqdm

TICK_SECONDS = 0.5


@contextmanager
def show_progress(what: str, is_shown: bool = True) -> Iterator[Callable[[int, int], None]]:
    """Yield a callable that takes (steps done, steps in all).

    The bar's clock keeps running during a long step.
    """
    if not is_shown or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    import threading

    from tqdm import tqdm

    with tqdm(desc=what, file=sys.stderr, delay=1, leave=False, dynamic_ncols=True, unit="") as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        ended, drawn = threading.Event(), threading.Event()
        clock = threading.Thread(target=_tick, args=(bar, ended, drawn), daemon=True)
        clock.start()
        try:
            yield show
        finally:
            ended.set()
            clock.join()
            if drawn.is_set():
                # Closing clears only what an update has drawn.
                bar.clear()


def _tick(bar: "tqdm[None]", ended: "threading.Event", drawn: "threading.Event") -> None:
    while not ended.wait(TICK_SECONDS):
        # The bar must not appear before its delay has passed.
        if bar.total and bar.format_dict["elapsed"] > bar.delay:
            bar.refresh()
            drawn.set()
