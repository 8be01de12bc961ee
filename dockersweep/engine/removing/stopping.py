"""A request to stop, set by a signal and obeyed by threads."""

import time

SLICE_SECONDS = 0.05


class StopRequest:
    """Set once. Unlike threading.Event it has no lock that the main thread could hold, so a signal handler may set it
    at any time."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """Ask to stop."""
        self._is_set = True

    def is_set(self) -> bool:
        """Return whether a stop was requested."""
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Wait for a stop, for at most `seconds`; return whether it was requested."""
        deadline = time.monotonic() + seconds
        while not self._is_set and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(SLICE_SECONDS, left))
        return self._is_set
