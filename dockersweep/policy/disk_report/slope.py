"""A slope that a few odd points do not move: the median of those between all pairs (Theil 1950, Sen 1968).

The range is Sen's, from how far Kendall's statistic scatters where there is no slope at all. Sizes of a disk hang
together from one point to the next, so that many points tell less than as many independent ones would: the scatter is
widened by how much the residuals of neighbours resemble each other (after Hamed and Rao, 1998).
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

FEWEST = 5
"""With fewer points no range of 90% has ends."""
MOST = 120
"""Of more points as many are looked at, evenly over the time: there are pairs of each with each."""
_DEVIATIONS = 1.6448536269514715
"""The 95th percentile of the standard normal distribution."""
_MOST_ALIKE = 0.95

Point = tuple[float, float]


class Slope(Struct, frozen=True):
    """A slope and the two between which it lies with a confidence of about 90%."""

    middle: float
    low: float
    high: float


def slope_of(points: Sequence[Point]) -> Slope | None:
    """Return the slope of points (x, y) in the order of x; None where there are fewer than five."""
    some = _evenly(points)
    if len(some) < FEWEST:
        return None
    slopes = sorted(
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for place, earlier in enumerate(some)
        for later in some[place + 1 :]
        if later[0] > earlier[0]
    )
    if not slopes:
        return None
    middle = _median(slopes)
    reach = _DEVIATIONS * math.sqrt(_scatter([y for _, y in some]) * _resemblance(some, middle))
    low = max(0, math.floor((len(slopes) - reach) / 2))
    high = min(len(slopes) - 1, math.ceil((len(slopes) + reach) / 2))
    return Slope(middle, slopes[low], slopes[high])


def _median(ordered: Sequence[float]) -> float:
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _evenly(points: Sequence[Point]) -> list[Point]:
    """Return the last point of each of at most MOST equal lengths of time, so that many of one day do not outweigh
    the others."""
    if len(points) <= MOST:
        return list(points)
    first, length = points[0][0], (points[-1][0] - points[0][0]) / MOST
    last_of = {min(MOST - 1, int((x - first) / length)): (x, y) for x, y in points}
    return list(last_of.values())


def _scatter(values: Sequence[float]) -> float:
    """Return the variance of Kendall's statistic; values that are the same tell less."""
    count = len(values)
    ties: dict[float, int] = {}
    for value in values:
        ties[value] = ties.get(value, 0) + 1
    tied = sum(one * (one - 1) * (2 * one + 5) for one in ties.values())
    return (count * (count - 1) * (2 * count + 5) - tied) / 18


def _resemblance(points: Sequence[Point], slope: float) -> float:
    """Return by how much the variance grows because neighbours are alike: 1 where they are not."""
    rest = [y - slope * x for x, y in points]
    mean = sum(rest) / len(rest)
    around = [one - mean for one in rest]
    total = sum(one * one for one in around)
    if total == 0:
        return 1.0
    alike = sum(one * other for one, other in pairwise(around)) / total
    # Few points around a line of their own look less alike than they are (Kendall, 1954).
    alike = (alike + 2 / len(points)) / (1 - 4 / len(points))
    alike = min(_MOST_ALIKE, max(0.0, alike))
    return (1 + alike) / (1 - alike)
