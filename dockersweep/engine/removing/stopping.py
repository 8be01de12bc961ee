"""A request to stop, made by a signal and obeyed by threads."""

import time

SLICE_SECONDS = 0.05


class StopRequest:
    """Set once. A signal handler may set it at any moment: there is no lock that the main thread could hold then, as
    threading.Event has."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """Ask to stop."""
        self._is_set = True

    def is_set(self) -> bool:
        """Whether somebody has asked."""
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Wait until somebody asks, and no longer than that; return whether somebody has."""
        deadline = time.monotonic() + seconds
        while not self._is_set and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(SLICE_SECONDS, left))
        return self._is_set
