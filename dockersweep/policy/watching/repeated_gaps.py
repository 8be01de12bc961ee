"""How often a watcher tells of gaps and absences: each of the first few, then of an hour what lasts, or all as one.

An engine that breaks off every few seconds has as many gaps, and nobody reads a thousand lines.
"""

from msgspec.structs import replace

from dockersweep.model.watching import EventGap, SummedGaps

MOST_ONE_BY_ONE = 3
HOUR_SECONDS = 3_600.0
AWAY_SECONDS = 5.0
"""How long an engine is away before that is told: a restart takes as long."""
LONG_AWAY_SECONDS = 120.0
"""The same for one of which that was told a few times within the hour."""


class Absences:
    """How long an engine has to be away for that to be told."""

    def __init__(self) -> None:
        self._told: tuple[float, ...] = ()

    def patience(self, now: float) -> float:
        """Return after how many seconds it is told; `now` is in seconds of the monotonic clock."""
        recent = sum(now - at < HOUR_SECONDS for at in self._told)
        return AWAY_SECONDS if recent < MOST_ONE_BY_ONE else LONG_AWAY_SECONDS

    def told(self, now: float) -> None:
        """Take note that it was told."""
        self._told = (*self._told, now)[-MOST_ONE_BY_ONE:]


class GapNotices:
    """What of the gaps is still to be told; bounded, however many there are."""

    def __init__(self) -> None:
        self._began_at = float("-inf")
        self._told = 0
        self._summed: SummedGaps | None = None

    def to_tell(self, gaps: tuple[EventGap, ...], now: float) -> list[EventGap | SummedGaps]:
        """Return what to tell now, in seconds of the monotonic clock, of new gaps and earlier ones."""
        told: list[EventGap | SummedGaps] = []
        if now - self._began_at >= HOUR_SECONDS:
            told += self.left()
            self._began_at, self._told = now, 0
        for gap in gaps:
            if self._told < MOST_ONE_BY_ONE:
                self._told += 1
                told.append(gap)
            else:
                self._summed = _added(self._summed, gap)
        return told

    def left(self) -> list[SummedGaps]:
        """Return what was not told yet, and forget it."""
        summed, self._summed = self._summed, None
        return [] if summed is None else [summed]


def _added(summed: SummedGaps | None, gap: EventGap) -> SummedGaps:
    seconds = (gap.ends_at - gap.begins_at).total_seconds()
    if summed is None:
        return SummedGaps(begins_at=gap.begins_at, ends_at=gap.ends_at, gaps=1, seconds=seconds, why=gap.why)
    return replace(summed, ends_at=gap.ends_at, gaps=summed.gaps + 1, seconds=summed.seconds + seconds, why=gap.why)
