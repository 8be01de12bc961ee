"""A slope that a few outliers do not move: the median of the slopes between all pairs (Theil 1950, Sen 1968).

The range is Sen's, from the variance of Kendall's statistic under no slope. Sizes of a disk are autocorrelated, so many
points say less than as many independent ones: the variance is scaled up by the correlation of neighbouring residuals
(after Hamed and Rao, 1998).
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

FEWEST = 5
"""With fewer points there is no finite range of 90%."""
MOST = 120
"""More points are thinned out to this number, evenly over time: the number of pairs is quadratic."""
_DEVIATIONS = 1.6448536269514715
"""The 95th percentile of the standard normal distribution."""
_HIGHEST_CORRELATION = 0.95

Point = tuple[float, float]


class Slope(Struct, frozen=True):
    """A slope and its confidence interval of about 90%."""

    middle: float
    low: float
    high: float


def slope_of(points: Sequence[Point]) -> Slope | None:
    """Return the slope of points (x, y) in the order of x; None for fewer than five."""
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
    reach = _DEVIATIONS * math.sqrt(_scatter([y for _, y in some]) * _variance_factor(some, middle))
    low = max(0, math.floor((len(slopes) - reach) / 2))
    high = min(len(slopes) - 1, math.ceil((len(slopes) + reach) / 2))
    return Slope(middle, slopes[low], slopes[high])


def _median(ordered: Sequence[float]) -> float:
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _evenly(points: Sequence[Point]) -> list[Point]:
    """Return the last point of each of at most MOST equal periods, so that many points of one day do not outweigh the
    others."""
    if len(points) <= MOST:
        return list(points)
    first, length = points[0][0], (points[-1][0] - points[0][0]) / MOST
    last_of = {min(MOST - 1, int((x - first) / length)): (x, y) for x, y in points}
    return list(last_of.values())


def _scatter(values: Sequence[float]) -> float:
    """Return the variance of Kendall's statistic, corrected for ties."""
    count = len(values)
    ties: dict[float, int] = {}
    for value in values:
        ties[value] = ties.get(value, 0) + 1
    tied = sum(size * (size - 1) * (2 * size + 5) for size in ties.values())
    return (count * (count - 1) * (2 * count + 5) - tied) / 18


def _variance_factor(points: Sequence[Point], slope: float) -> float:
    """Return the factor by which autocorrelation increases the variance: 1 where there is none."""
    residuals = [y - slope * x for x, y in points]
    mean = sum(residuals) / len(residuals)
    centered = [residual - mean for residual in residuals]
    total = sum(residual * residual for residual in centered)
    if total == 0:
        return 1.0
    correlation = sum(residual * following for residual, following in pairwise(centered)) / total
    # Residuals of a line fitted to few points underestimate the correlation (Kendall, 1954).
    correlation = (correlation + 2 / len(points)) / (1 - 4 / len(points))
    correlation = min(_HIGHEST_CORRELATION, max(0.0, correlation))
    return (1 + correlation) / (1 - correlation)
