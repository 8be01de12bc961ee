"""Turns Python's garbage collector off while many objects are made."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector() -> Iterator[None]:
    """Disable the garbage collector: a plan makes millions of values and no cycles, and collecting would only walk over
    them again and again.

    At the end, everything is frozen: otherwise the collector would walk over it as soon as it is on again, and twice
    more as the process exits.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
