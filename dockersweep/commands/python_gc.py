"""Keeps Python's garbage collector from an inventory and what is made of it."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector() -> Iterator[None]:
    """A plan makes millions of values and no circles; the garbage collector would walk over them again and again.

    What there is at the end it leaves alone for good: it would else walk over all that was made as soon as it is on
    again, and twice more as the process ends.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
