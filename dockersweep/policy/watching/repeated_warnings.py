"""Which warnings of its sweeps a watcher tells: each once a day, however many sweeps have it."""

import re
from collections.abc import Iterable, Iterator

from dockersweep.model.inventory import ScanWarning
from dockersweep.policy.watching.repeated_notices import REPEAT_SECONDS

MOST_KNOWN = 1000
_FIGURE = re.compile(r"[0-9]+(?:\.[0-9]+)?")


class WarningNotices:
    """What was told; bounded, however many there are."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], float] = {}

    def to_tell(self, warnings: Iterable[ScanWarning], now: float) -> Iterator[ScanWarning]:
        """Yield those that were not told within a day; `now` is in seconds of the monotonic clock."""
        for warning in warnings:
            # With other figures it is the same one.
            known = (warning.about, _FIGURE.sub("", warning.text))
            if known in self._told and now - self._told[known] < REPEAT_SECONDS:
                continue
            # At the end, as the one that was told last.
            self._told.pop(known, None)
            self._told[known] = now
            if len(self._told) > MOST_KNOWN:
                del self._told[next(iter(self._told))]
            yield warning
